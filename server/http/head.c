/* See head.h. */
#include "server/http/head.h"

#include <microhttpd.h>
#include <string.h>

#include "server/base/str.h"
#include "server/limits.h"

/* Headers and arguments of the target together. Each takes some 60 bytes of the connection's
 * memory, which the body is read through as well. */
#define MAX_FIELDS 100

struct scan {
    struct head *head;
    unsigned lengths;
    unsigned encodings;
    unsigned hosts;
};

static void
refuse(struct head *head, unsigned status, const char *problem)
{
    if (head->status)
        return;
    head->status = status;
    head->problem = problem;
}

static bool
is_token(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name <= ' ' || (unsigned char)*name >= 0x7F)
            return false;
    return true;
}

static enum MHD_Result
scan_field(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct scan *scan = cls;
    struct head *head = scan->head;

    (void)kind;
    if (!is_token(name))
        refuse(head, 400, "a header's name contains a space or a control character");
    if (str_equal_nocase(name, "content-length")) {
        scan->lengths++;
        if (str_to_u64(value ? value : "", &head->content_length, NULL))
            refuse(head, 400, "Content-Length is not a number");
    } else if (str_equal_nocase(name, "transfer-encoding")) {
        scan->encodings++;
        head->chunked = str_equal_nocase(value, "chunked");
    } else if (str_equal_nocase(name, "host")) {
        scan->hosts++;
    } else if (str_equal_nocase(name, "expect")) {
        head->expects_continue = true;
    }
    return MHD_YES;
}

void
head_read(struct MHD_Connection *connection,
          const char *path,
          const char *version,
          size_t target_bytes,
          struct head *ret_head)
{
    struct scan scan = {.head = ret_head};

    *ret_head = (struct head){.status = 0};
    const int fields = MHD_get_connection_values(connection, MHD_HEADER_KIND, scan_field, &scan);
    const int arguments = MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, NULL, NULL);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    if ((info && info->header_size > LIMIT_REQUEST_HEAD_BYTES) || fields + arguments > MAX_FIELDS)
        refuse(ret_head, 431, "the request's head is too large");
    /* Text ends at a NUL, the request target does not. */
    if ((size_t)(version - path) != target_bytes + 1)
        refuse(ret_head, 400, "the request target contains a NUL");
    if (scan.encodings > 0 && scan.lengths > 0)
        refuse(ret_head, 400, "Content-Length and Transfer-Encoding exclude each other");
    if (scan.encodings > 1 || scan.lengths > 1 || scan.hosts > 1)
        refuse(ret_head, 400, "a header that tells where the request ends or goes came twice");
    if (scan.encodings > 0 && (!ret_head->chunked || !str_equal(version, "HTTP/1.1")))
        refuse(ret_head, 400, "the only Transfer-Encoding understood is chunked, in HTTP/1.1");
}
