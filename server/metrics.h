/* Counters of the process, in Prometheus' text format (exposition format 0.0.4). */
#pragma once

#include "server/base/strbuf.h"

#include <stdint.h>

enum metric {
    METRIC_DELIVERIES_STORED,
    METRIC_DELIVERIES_DUPLICATE,
    METRIC_DELIVERIES_REFUSED,
    METRIC_DELIVERIES_NOT_STORED,
    METRIC_RUNS_CLAIMED,
    METRIC_RUNS_ENDED,
    METRIC_MESSAGES_SENT,
    METRIC_MESSAGES_FAILED,
};

#define METRIC_COUNT 8

/* Count one more.   Thread: any. */
void metric_count(enum metric metric);

/* Append all counters. */
void metrics_append(struct strbuf *buf);

/* A number that is kept elsewhere. */
struct metric_value {
    const char *name;
    const char *help;
    bool may_fall; /* a gauge, not a counter */
    uint64_t value;
};

void metrics_append_value(struct strbuf *buf, const struct metric_value *value);
