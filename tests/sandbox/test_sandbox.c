/* Sandboxes in real containers: opening, steps, files, export, reset. */
#include "tests/sandbox/fixture.h"

#include "server/base/clock.h"
#include "server/base/fs.h"
#include "server/base/str.h"
#include "tests/harness/test.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(opens_at_the_commit_on_the_branch)
{
    fixture_begin();
    fixture_open_plain();
    const struct fixture_run *const run = fixture_run(
        "pwd; git rev-parse HEAD; git symbolic-ref HEAD; git status --porcelain; "
        "cat hello.txt dir/a; git log --oneline | wc -l; cat .git/objects/info/alternates");
    char expected[512];
    snprintf(expected, sizeof(expected),
             "/workspace\n%s\nrefs/heads/" FIXTURE_BRANCH "\nhello\na\n1\n/draftd/objects\n",
             fixture_commit());
    CHECK_STR(run->output, expected);
    CHECK_INT(run->result.end, SANDBOX_EXITED);
    CHECK_INT(run->result.status, 0);
}

int
main(int argc, char **argv)
{
    if (!fixture_engine()) {
        printf("1..0 # SKIP no engine: see tests/env/engines.sh\n");
        return 0;
    }
    const int status = test_run_all(argc, argv);
    fixture_end();
    return status;
}
