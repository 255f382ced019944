/* What the HTTP client must know of URLs, through curl's own parser: what curl connects to counts.
 */
#pragma once

#include <stdbool.h>

/* Do both URLs have the same scheme, host and port?  Says no in doubt. */
bool web_same_origin(const char *url, const char *other_url);
