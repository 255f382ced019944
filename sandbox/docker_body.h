/* What is said to and read from a Docker-compatible API, as pure functions on JSON. */
#pragma once

#include "sandbox/engine.h"
#include "server/base/bytes.h"
#include "server/base/js.h"
#include "server/base/strbuf.h"

/* Both speak the same API and differ in what they make of it. */
enum docker_kind { DOCKER_ENGINE, DOCKER_PODMAN };

/* The body of POST /containers/create: hardened, whatever the specification says. `map_ids`: ask
 * for a user namespace (Podman only; Docker's is a setting of its daemon). `covers`: what goes over
 * the image's volumes (docker_volumes.h), or NULL. Owns: *ret_body is the caller's, free(). Errors:
 * ERR_NOMEM. */
MUST_CHECK int docker_create_body(const struct container_spec *spec,
                                  enum docker_kind kind,
                                  bool map_ids,
                                  const json_t *covers,
                                  char **ret_body,
                                  struct err *err);

/* What GET /containers/ID/json says of the limits. The user namespace is not among it.
 * Errors: ERR_REMOTE it is no such answer. */
MUST_CHECK int
docker_read_facts(const json_t *answer, struct container_facts *ret_facts, struct err *err);

/* The containers in the answer of GET /containers/json.
 * Errors: ERR_REMOTE it is no such answer; ERR_NOMEM. */
MUST_CHECK int
docker_read_list(const json_t *answer, struct container_list *ret_list, struct err *err);

/* Append a tar archive (POSIX.1-1988 ustar) whose one entry makes the directory it is unpacked in
 * belong to `uid`. `directory` is that directory's name, without its parents. */
void docker_append_owner_archive(struct strbuf *buf, const char *directory, unsigned uid);
