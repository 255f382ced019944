/* The shell script that every step of ours on a work tree is: work_tree.sh, as the build embeds it.
 * Which step is meant, and what it works on, its environment says; see there.
 *
 * What a work tree holds is what git sees: all files that are not ignored, byte by byte. What setup
 * left there is remembered before the agent comes (state.c), so that it can be put back (checkout.c),
 * and told apart from what the agent does (export.c). The tree objects lie inside, where the agent
 * may lose them; what they differ in from the commit that was checked out is kept on the host, and
 * is enough to make them again. */
#pragma once

#include "sandbox/sandbox.h"

extern const char work_tree_script[];
