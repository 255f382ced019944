/* The engine behind a Docker-compatible API on a Unix socket: Docker and Podman. */
#pragma once

#include "sandbox/engine_driver.h"

extern const struct engine_driver docker_driver;
