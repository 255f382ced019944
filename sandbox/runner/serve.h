/* Process 1 at work: takes steps from the door, one after the other, until the connection ends. */
#pragma once

/* Returns the exit status of the process. */
int serve(const char *socket_path, const char *workspace);
