/* See metrics.h. */
#include "server/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>

struct metric_facts {
    const char *name;
    const char *help;
};

static const struct metric_facts facts[METRIC_COUNT] = {
    [METRIC_DELIVERIES_STORED] = {"draftd_deliveries_stored_total", "Deliveries stored."},
    [METRIC_DELIVERIES_DUPLICATE] = {"draftd_deliveries_duplicate_total",
                                     "Deliveries that were stored already."},
    [METRIC_DELIVERIES_REFUSED] = {"draftd_deliveries_refused_total",
                                   "Deliveries with a wrong, missing or malformed signature."},
    [METRIC_DELIVERIES_NOT_STORED] = {"draftd_deliveries_not_stored_total",
                                      "Deliveries answered 503 because the store failed."},
    [METRIC_RUNS_CLAIMED] = {"draftd_runs_claimed_total", "Runs taken by a worker."},
    [METRIC_RUNS_ENDED] = {"draftd_runs_ended_total", "Runs that came to an end."},
    [METRIC_MESSAGES_SENT] = {"draftd_messages_sent_total", "Messages delivered to platforms."},
    [METRIC_MESSAGES_FAILED] = {"draftd_messages_failed_total",
                                "Sends that failed, retries included."},
};

/* Only ever incremented; a scrape may see one before another. */
static _Atomic uint64_t counters[METRIC_COUNT];

void
metric_count(enum metric metric)
{
    atomic_fetch_add_explicit(&counters[metric], 1, memory_order_relaxed);
}

void
metrics_append_value(struct strbuf *buf, const struct metric_value *value)
{
    strbuf_addf(buf, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", value->name, value->help,
                value->name, value->may_fall ? "gauge" : "counter", value->name, value->value);
}

void
metrics_append(struct strbuf *buf)
{
    for (size_t i = 0; i < METRIC_COUNT; i++)
        metrics_append_value(buf,
                             &(struct metric_value){
                                 .name = facts[i].name,
                                 .help = facts[i].help,
                                 .value = atomic_load_explicit(&counters[i], memory_order_relaxed),
                             });
}
