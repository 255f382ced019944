/* How the write-ahead log reaches the disk: SQLite writes each page of a commit in two pieces of
 * its own; here they are gathered, and the system gets few large ones.
 *
 * Only for connections that flush with every commit (synchronous = FULL): what is gathered leaves
 * at that flush at the latest, before SQLite tells anybody of the commit. */
#pragma once

/* The name of the layer under SQLite that does so, for sqlite3_open_v2(). NULL, which means
 * SQLite's own way, when there is no memory for it. */
const char *log_file_vfs(void);
