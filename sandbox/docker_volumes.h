/* Volumes that an image declares: engines make each of them a directory of the host's disk, which
 * nothing limits. They are covered, and what an engine made of that is looked at. Pure functions on
 * JSON. */
#pragma once

#include "sandbox/docker_body.h"

/* What goes over the volumes that GET /images/NAME/json tells of: HostConfig.Tmpfs entries, empty
 * places in memory that cannot be written to. The workspace and /tmp are not among them, for they
 * are covered anyway. `name` is for messages.
 * Owns: *ret_covers is the caller's, json_decref().
 * Errors: ERR_INVALID there is one where it cannot be covered, or too many; ERR_NOMEM. */
MUST_CHECK int docker_cover_volumes(const json_t *image,
                                    const char *name,
                                    enum docker_kind kind,
                                    json_t **ret_covers,
                                    struct err *err);

/* Has the container of GET /containers/ID/json no volume but the workspace, and that only where
 * `spec` wants one?   Errors: ERR_INVALID it has (named in the message). */
MUST_CHECK int
docker_check_volumes(const json_t *container, const struct container_spec *spec, struct err *err);
