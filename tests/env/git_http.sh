#!/bin/sh
# Git over smart HTTPS for tests: nginx with TLS and basic authentication, fcgiwrap, git-http-backend.
#
#   git_http.sh check             exit status 77 when a program is missing (what, on standard error)
#   git_http.sh start DIR         serve DIR/srv/OWNER/NAME.git; prints the base URL
#   git_http.sh stop DIR          end what start began
#   git_http.sh repo DIR O/N      make the empty bare repository O/N, which takes pushes
#   git_http.sh token DIR TOKEN   the only token accepted from now on, for user x-access-token
#
# In DIR afterwards: ca.crt (to be trusted), url, access.log, error.log. Until `token` was called the
# token is "first-token". DIR must be an absolute path without blanks, below 80 characters (socket names).
set -eu

backend=/usr/lib/git-core/git-http-backend

need() {
    for program in nginx fcgiwrap openssl git setsid; do
        command -v "$program" >/dev/null 2>&1 || missing="${missing:-} $program"
    done
    [ -x "$backend" ] || missing="${missing:-} $backend"
    [ -r /etc/nginx/fastcgi_params ] || missing="${missing:-} /etc/nginx/fastcgi_params"
    [ -z "${missing:-}" ] && return 0
    echo "not installed:$missing" >&2
    exit 77
}

make_certificates() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/ca.key"
    openssl req -x509 -new -key "$dir/ca.key" -subj "/CN=draftd test CA" -days 30 -out "$dir/ca.crt"
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/tls.key"
    openssl req -new -key "$dir/tls.key" -subj "/CN=localhost" -out "$dir/tls.csr"
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$dir/tls.ext"
    openssl x509 -req -in "$dir/tls.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -set_serial 2 \
        -days 30 -extfile "$dir/tls.ext" -out "$dir/tls.crt" 2>/dev/null
}

write_configuration() {
    user=""
    [ "$(id -u)" -ne 0 ] || user="user root;" # else the workers could not open the socket
    cat >"$dir/nginx.conf" <<END
$user
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/error.log;
events { worker_connections 256; }
http {
    access_log $dir/access.log;
    client_max_body_size 0;
    client_body_temp_path $dir/tmp; proxy_temp_path $dir/tmp; fastcgi_temp_path $dir/tmp;
    uwsgi_temp_path $dir/tmp; scgi_temp_path $dir/tmp;
    server {
        listen 127.0.0.1:$1 ssl;
        ssl_certificate $dir/tls.crt;
        ssl_certificate_key $dir/tls.key;
        location ~ ^/(?<repo>[^/]+/[^/]+?)(\.git)?(?<op>/(HEAD|info/refs|git-upload-pack|git-receive-pack))\$ {
            auth_basic "git";
            auth_basic_user_file $dir/htpasswd;
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME $backend;
            fastcgi_param GIT_HTTP_EXPORT_ALL "";
            fastcgi_param GIT_PROJECT_ROOT $dir/srv;
            fastcgi_param PATH_INFO /\$repo.git\$op;
            fastcgi_param REMOTE_USER \$remote_user;
            fastcgi_param HTTP_GIT_PROTOCOL \$http_git_protocol;
            fastcgi_buffering off;
            fastcgi_request_buffering off;
            fastcgi_pass unix:$dir/fcgi.sock;
        }
        include $dir/extra.conf*;
    }
}
END
}

# nginx cannot choose a free port itself: try some, from below the range of outgoing connections.
start_nginx() {
    tries=0
    while [ $tries -lt 20 ]; do
        port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 10000))
        write_configuration "$port"
        if nginx -p "$dir" -e "$dir/error.log" -c "$dir/nginx.conf" 2>"$dir/start.log"; then
            echo "https://localhost:$port" >"$dir/url"
            return 0
        fi
        tries=$((tries + 1))
    done
    echo "nginx did not start; see $dir/start.log" >&2
    return 1
}

wait_for() {
    tries=0
    while [ ! -e "$1" ]; do
        tries=$((tries + 1))
        [ $tries -lt 500 ] || { echo "$1 did not appear" >&2; return 1; }
        sleep 0.02
    done
}

write_token() {
    printf 'x-access-token:{PLAIN}%s\n' "$1" >"$dir/htpasswd.new"
    mv "$dir/htpasswd.new" "$dir/htpasswd"
}

start() {
    need
    umask 022
    mkdir -p "$dir/srv" "$dir/tmp"
    rm -f "$dir/fcgi.sock"
    [ -s "$dir/htpasswd" ] || write_token first-token
    [ -s "$dir/ca.crt" ] || make_certificates
    # A session of its own, so that stop can end its children too. Nothing of the caller's git
    # configuration or environment reaches the server's git.
    env -i PATH="$PATH" HOME="$dir" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=1 \
        GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' \
        setsid fcgiwrap -s "unix:$dir/fcgi.sock" -c 2 </dev/null >"$dir/fcgi.log" 2>&1 &
    echo $! >"$dir/fcgi.pid"
    wait_for "$dir/fcgi.sock"
    start_nginx
    cat "$dir/url"
}

# Processes are not asked whether they are gone: where nobody reaps orphans they never seem to be.
stop() {
    if [ -s "$dir/fcgi.pid" ]; then
        kill -TERM "-$(cat "$dir/fcgi.pid")" 2>/dev/null || true
        rm -f "$dir/fcgi.pid" "$dir/fcgi.sock"
    fi
    [ -s "$dir/nginx.pid" ] || return 0
    kill -TERM "$(cat "$dir/nginx.pid")" 2>/dev/null || rm -f "$dir/nginx.pid"
    tries=0
    while [ -e "$dir/nginx.pid" ] && [ $tries -lt 250 ]; do # nginx removes it at its end
        tries=$((tries + 1))
        sleep 0.02
    done
}

command=${1:-}
dir=${2:-}
case "$command" in
check) need ;;
start) start ;;
stop) stop ;;
repo)
    git init -q --bare --initial-branch=main "$dir/srv/$3.git"
    git -C "$dir/srv/$3.git" config http.receivepack true
    ;;
token) write_token "$3" ;;
*)
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
