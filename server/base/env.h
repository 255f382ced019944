/* The environment of the process: read here only, so that what it decides is found by one search.
 */
#pragma once

/* The variable's value; NULL when it is not set or empty. Borrowed; the process never changes its
 * environment once threads run. */
const char *env_get(const char *name);
