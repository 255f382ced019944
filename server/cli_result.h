/* How a task stands, in lines of a name and a value: what `show` and `run` print alike. */
#pragma once

#include "server/store/run.h"
#include "server/store/step.h"

/* One line. Without a value, none. */
void cli_print_field(const char *name, const char *value);

/* What explains the run's end or its waiting, and what a reviewer should see first. */
void cli_print_findings(const struct run *run);

void cli_print_checks(const struct check_result_list *checks);
