#!/bin/sh
# Private container engines for tests: a podman service and a dockerd unpacked from Debian packages,
# each with its own storage, configuration and socket below one directory. Nothing of the machine's own
# engines is touched, and nothing is started that `stop` does not end.
#
#   engines.sh start podman|docker DIR    prints the socket's address, unix://DIR/podman.sock
#   engines.sh stop DIR                   ends both, removes their containers and storage
#
# DIR must be short: the path of a socket has at most 108 bytes.
set -eu

cache=${DRAFTD_TEST_CACHE:-$HOME/.cache/draftd-tests}

fail()
{
    echo "engines.sh: $*" >&2
    exit 1
}

usage()
{
    fail "usage: engines.sh start podman|docker DIR | stop DIR"
}

# answers SOCKET: does an engine answer there?
answers()
{
    [ -S "$1" ] && curl -sf -m 5 --unix-socket "$1" http://engine/_ping >/dev/null 2>&1
}

# lesser A B: the smaller of two limits, of which A may be "unlimited"
lesser()
{
    if [ "$1" != unlimited ] && [ "$1" -lt "$2" ]; then
        echo "$1"
    else
        echo "$2"
    fi
}

# started NAME DIR: wait for the engine whose process id is in DIR/NAME.pid
started()
{
    tries=0
    until answers "$2/$1.sock"; do
        tries=$((tries + 1))
        if [ $tries -gt 150 ] || ! alive "$(cat "$2/$1.pid")"; then
            tail -n 20 "$2/$1.log" >&2
            fail "$1 does not answer; its log is $2/$1.log"
        fi
        sleep 0.1
    done
}

podman_configure()
{
    dir=$1
    mkdir -p "$dir/podman" "$dir/tmp"
    if [ -d /run/systemd/system ]; then manager=systemd; else manager=cgroupfs; fi
    if command -v runc >/dev/null; then runtime=runc; else runtime=crun; fi
    cat >"$dir/containers.conf" <<END
[containers]
default_ulimits = ["nofile=$nofile:$nofile", "nproc=$nproc:$nproc"]
[engine]
runtime = "$runtime"
cgroup_manager = "$manager"
events_logger = "file"
tmp_dir = "$dir/podman/tmp"
END
    cat >"$dir/storage.conf" <<END
[storage]
driver = "$2"
graphroot = "$dir/podman/storage"
runroot = "$dir/podman/run"
END
}

podman_start()
{
    dir=$1
    command -v podman >/dev/null || fail "podman is missing: apt-get install podman runc"
    export CONTAINERS_CONF="$dir/containers.conf" CONTAINERS_STORAGE_CONF="$dir/storage.conf"
    export TMPDIR="$dir/tmp"
    podman_configure "$dir" overlay
    if ! podman info >/dev/null 2>"$dir/podman.log"; then
        rm -rf "$dir/podman"
        podman_configure "$dir" vfs
    fi
    # where it is started conmon leaves a file "oom" when a container runs out of memory
    (cd "$dir" && exec setsid podman system service -t 0 "unix://$dir/podman.sock" >podman.log 2>&1 </dev/null) &
    echo $! >"$dir/podman.pid"
}

# Fetch and unpack docker.io, containerd and what they need, without installing them.
docker_unpack()
{
    [ -x "$cache/docker/usr/sbin/dockerd" ] && return
    work="$cache/docker.$$"
    mkdir -p "$work/packages" "$work/root"
    (
        cd "$work/packages"
        # _apt may not write here: apt then warns and downloads as root
        apt-get download -q docker.io containerd runc >/dev/null 2>&1 ||
            { apt-get update -q >&2 && apt-get download -q docker.io containerd runc >&2; }
    ) || fail "docker.io and containerd cannot be downloaded by apt-get"
    for package in "$work"/packages/*.deb; do
        dpkg-deb -x "$package" "$work/root"
    done
    rm -rf "$cache/docker"
    mv "$work/root" "$cache/docker"
    rm -rf "$work"
}

docker_start()
{
    dir=$1
    [ "$(id -u)" = 0 ] || fail "a private dockerd needs root"
    docker_unpack
    mkdir -p "$dir/docker" "$dir/tmp"
    cat >"$dir/docker.json" <<END
{"default-ulimits": {"nofile": {"Name": "nofile", "Soft": $nofile, "Hard": $nofile},
                     "nproc": {"Name": "nproc", "Soft": $nproc, "Hard": $nproc}}}
END
    PATH="$cache/docker/usr/bin:$cache/docker/usr/sbin:$PATH" TMPDIR="$dir/tmp" \
        setsid "$cache/docker/usr/sbin/dockerd" --config-file "$dir/docker.json" \
        -H "unix://$dir/docker.sock" --data-root "$dir/docker/data" --exec-root "$dir/docker/run" \
        --pidfile "$dir/docker/dockerd.pid" --bridge=none --iptables=false --ip6tables=false \
        --ip-forward=false --ip-masq=false --userland-proxy=false \
        --exec-opt native.cgroupdriver=cgroupfs >"$dir/docker.log" 2>&1 </dev/null &
    echo $! >"$dir/docker.pid"
}

start()
{
    name=$1
    mkdir -p "$2"
    dir=$(cd "$2" && pwd)
    [ ${#dir} -le 80 ] || fail "$dir is too long for sockets"
    if answers "$dir/$name.sock"; then
        echo "unix://$dir/$name.sock"
        return
    fi
    # shellcheck disable=SC3045 # not in POSIX; dash and bash have it
    nofile=$(lesser "$(ulimit -Hn)" 1024)
    # shellcheck disable=SC3045 # dash has no -u: its absence means the default
    nproc=$(lesser "$(ulimit -Hu 2>/dev/null || echo unlimited)" 4096)
    case $name in
    podman) podman_start "$dir" ;;
    docker) docker_start "$dir" ;;
    *) usage ;;
    esac
    started "$name" "$dir"
    echo "unix://$dir/$name.sock"
}

# containers_remove SOCKET
containers_remove()
{
    answers "$1" || return 0
    curl -s -m 10 --unix-socket "$1" 'http://engine/v1.40/containers/json?all=1' |
        tr ',{' '[\n*]' | sed -n 's/^"Id":"\([0-9a-f]*\)".*/\1/p' |
        while read -r id; do
            curl -s -m 20 -o /dev/null -X DELETE --unix-socket "$1" \
                "http://engine/v1.40/containers/$id?force=1&v=1"
        done
}

# alive PID: is it there, and no zombie that nobody reaps?
alive()
{
    kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# ended PIDFILE: terminate the process named there and wait for its end
ended()
{
    [ -f "$1" ] || return 0
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || true
    tries=0
    while alive "$pid" && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    if alive "$pid"; then kill -9 "$pid"; fi
    rm -f "$1"
}

# Take away what engines leave mounted below the directory.
unmounted()
{
    awk -v dir="$1/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
        while read -r mount; do
            umount -l "$mount" 2>/dev/null || true
        done
}

stop()
{
    [ -d "$1" ] || return 0
    dir=$(cd "$1" && pwd)
    for name in podman docker; do
        containers_remove "$dir/$name.sock"
        ended "$dir/$name.pid"
    done
    unmounted "$dir"
    # rootless storage belongs to other ids, which only podman can remove
    if [ "$(id -u)" != 0 ] && [ -d "$dir/podman" ]; then
        podman unshare rm -rf "$dir/podman"
    fi
    rm -rf "$dir/podman" "$dir/docker" "$dir/tmp" "$dir/containers.conf" "$dir/storage.conf" \
        "$dir/docker.json" "$dir/podman.sock" "$dir/docker.sock" "$dir/podman.log" "$dir/docker.log"
    rmdir "$dir" 2>/dev/null || true
}

case ${1-} in
start) [ $# = 3 ] || usage; start "$2" "$3" ;;
stop) [ $# = 2 ] || usage; stop "$2" ;;
*) usage ;;
esac
