/* See web_url.h; and the escaping that web.h offers. */
#include "server/web_url.h"

#include "server/base/str.h"
#include "server/web.h"

#include <curl/curl.h>
#include <string.h>

static bool
same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *left = NULL;
    char *right = NULL;
    const bool same = curl_url_get(a, part, &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                      curl_url_get(b, part, &right, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                      str_equal_nocase(left, right);

    curl_free(left);
    curl_free(right);
    return same;
}

bool
web_same_origin(const char *url, const char *other_url)
{
    CURLU *const a = curl_url();
    CURLU *const b = curl_url();
    const bool same = a && b && curl_url_set(a, CURLUPART_URL, url, 0) == CURLUE_OK &&
                      curl_url_set(b, CURLUPART_URL, other_url, 0) == CURLUE_OK &&
                      same_part(a, b, CURLUPART_SCHEME) && same_part(a, b, CURLUPART_HOST) &&
                      same_part(a, b, CURLUPART_PORT);

    curl_url_cleanup(a);
    curl_url_cleanup(b);
    return same;
}

void
web_append_escaped(struct strbuf *buf, const char *text)
{
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (const char *at = text; *at; at++) {
        if (strchr(kept, *at))
            strbuf_add_char(buf, *at);
        else
            strbuf_addf(buf, "%%%02X", (unsigned)(unsigned char)*at);
    }
}
