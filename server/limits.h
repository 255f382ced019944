/* Every cap on outside data and every fixed time, in one place. Units are in the names. */
#pragma once

#include <stddef.h>

/* Receiving */
#define LIMIT_BODY_BYTES (25U * 1024 * 1024)   /* GitHub's cap on a payload */
#define LIMIT_SPOOL_BYTES (256U * 1024)        /* larger bodies go to an unnamed file as they arrive; the
                                                  others take as much memory for each connection */
#define LIMIT_SPOOL_ALL_BYTES (512 * 1024 * 1024)    /* of all these files together; over it: 503 */
#define LIMIT_SPOOL_SENDER_BYTES (128 * 1024 * 1024) /* of those of one address, unless it is a proxy's */
#define LIMIT_SPOOL_RESERVE_BYTES (64 * 1024 * 1024) /* of their disk: free for the store, whoever sends */
#define LIMIT_REQUEST_HEAD_BYTES (16U * 1024) /* platforms send 1 to 2 KB */
#define LIMIT_CONNECTIONS 1024U
#define LIMIT_CONNECTIONS_PER_ADDRESS 256U
#define LIMIT_IDLE_SECONDS 60U                 /* keep-alive between requests */
#define LIMIT_HEAD_MS 30000                    /* from the first byte to the end of the head */
#define LIMIT_BODY_MS 60000                    /* from the end of the head to the end of the body */
#define LIMIT_DRAIN_MS 10000                   /* requests in flight after SIGTERM */

/* Names that platforms send */
#define LIMIT_DELIVERY_ID_BYTES 128U
#define LIMIT_EVENT_NAME_BYTES 64U
#define LIMIT_REPOSITORY_NAME_BYTES 200U

/* Store */
#define LIMIT_BODY_CHUNK_BYTES (256U * 1024)
#define LIMIT_STEP_KEPT_BYTES (4U * 1024 * 1024) /* of what one step printed */
#define LIMIT_REASON_BYTES 2048U

/* Texts */
#define LIMIT_TITLE_BYTES 1024U
#define LIMIT_TEXT_BYTES (256U * 1024)         /* an issue's or comment's text */
#define LIMIT_THREAD_COMMENTS 50U              /* of a thread, shown to an agent: the newest */
#define LIMIT_THREAD_BYTES (32U * 1024)        /* of them together */
#define LIMIT_COMMENT_BYTES (16U * 1024)       /* of one of them */
#define LIMIT_PROMPT_BYTES (1280U * 1024)
#define LIMIT_SUMMARY_BYTES (32U * 1024)       /* what an agent says of its work */
#define LIMIT_OUTPUT_TAIL_BYTES (16U * 1024)   /* the end of a failed step, shown to agents and people */

/* Configuration files */
#define LIMIT_CONFIG_BYTES (1024U * 1024)
#define LIMIT_CONFIG_LIST 256U
#define LIMIT_COMMAND_BYTES (16U * 1024)

/* HTTP clients */
#define LIMIT_ANSWER_BYTES (8U * 1024 * 1024)

/* Sandbox */
#define LIMIT_FRAME_BYTES (64U * 1024)
#define LIMIT_PACK_BYTES (256U * 1024 * 1024)  /* what a sandbox may hand out */
#define LIMIT_RUNNER_START_MS 60000            /* from start to the runner's first word */
#define LIMIT_STEP_GRACE_MS 5000               /* from TERM to KILL */
#define LIMIT_CHANGE_BLOB_BYTES (16U * 1024 * 1024)
#define LIMIT_IMPORT_MS 120000                 /* to take in a pack */
#define LIMIT_GUARD_MS 60000                   /* to look through a change */

/* Runs */
#define LIMIT_RUN_ROOM_BYTES (32 * 1024 * 1024)    /* on the disk of state_dir, or a run does not begin */
#define LEASE_MS 60000
#define LEASE_RENEW_MS 10000
#define RETRY_FIRST_MS 2000                    /* after what may pass failed: doubled each time, */
#define RETRY_MOST_MS (10 * 60 * 1000)         /* up to this, */
#define RETRY_FOR_MS (24 * 60 * 60 * 1000)     /* for a day in all */
#define RETRY_LEAST 10                         /* and so often: a clock set forward makes no day */
#define POLL_MS 500                            /* how soon another process's change is seen */
