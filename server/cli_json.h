/* What the commands print to machines. */
#pragma once

#include "server/base/js.h"
#include "server/store/delivery.h"
#include "server/store/outbox.h"
#include "server/store/past_draft.h"
#include "server/store/remark.h"
#include "server/store/run.h"
#include "server/store/step.h"
#include "server/store/task.h"

/* What was said and done about one draft. */
struct cli_draft_tally {
    size_t reviews;
    size_t remarks;
    size_t runs;
};

/* A record as a JSON object; NULL when out of memory.  Owns: the caller's, json_decref(). */
json_t *cli_task_json(const struct task *task);
json_t *cli_delivery_json(const struct delivery *delivery);
json_t *cli_remark_json(const struct remark *remark);
json_t *cli_past_draft_json(const struct past_draft *past, const struct cli_draft_tally *tally);
json_t *cli_run_json(const struct run *run);
json_t *cli_check_json(const struct check_result *check);
json_t *cli_step_json(const struct step *step);
json_t *cli_message_json(const struct outbox_message *message);

/* Print the tree, indented, to standard output. Returns the exit status; NULL is a failure. */
int cli_print_json(const json_t *json);
