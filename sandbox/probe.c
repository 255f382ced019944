/* The trial of a host at start: what did the engine make of the limits that were asked for?
 *
 * Asked both ways: the engine's own description, and what processes inside find. An engine may
 * describe a limit that its kernel ignores, so where the inside can tell, it has the last word. */
#include "sandbox/box.h"

#include "server/base/clock.h"
#include "server/base/str.h"

#include <stdio.h>
#include <string.h>

#define PROBE_MS (2 * MS_PER_MINUTE)
#define FILE_BYTES (64U * 1024)
#define MIB INT64_C(1048576)

/* Read the first of two files that is there, as text; "" when neither is. */
static int
read_either(struct sandbox *sandbox,
            const char *first,
            const char *second,
            struct strbuf *buf,
            struct err *err)
{
    int result = sandbox_read_file(sandbox, first, FILE_BYTES, buf, err);

    if (result == ERR_NOTFOUND || result == ERR_INVALID)
        result = sandbox_read_file(sandbox, second, FILE_BYTES, buf, err);
    return result == ERR_NOTFOUND || result == ERR_INVALID ? 0 : result;
}

/* A limit of a control group: INT64_MAX for none ("max", or beyond any machine), -1 when it cannot
 * be told. */
static int64_t
read_limit(const char *text)
{
    char *end;
    const long long number = strtoll(text, &end, 10);

    if (str_starts_with(text, "max"))
        return INT64_MAX;
    if (end == text)
        return -1;
    return number < 0 || number > INT64_MAX / 2 ? INT64_MAX : number;
}

/* "QUOTA PERIOD" of cgroup v2, or the quota alone of v1, whose period is 100000 unless set. */
static double
read_cpus(const char *text)
{
    const int64_t quota = read_limit(text);
    const char *const blank = strchr(text, ' ');
    const int64_t period = blank ? read_limit(blank + 1) : 100000;

    if (quota < 0 || quota == INT64_MAX || period <= 0)
        return quota < 0 ? -1 : 0;
    return (double)quota / (double)period;
}

/* A whole number that was asked for against what was found inside (-1: unknown) and what the engine
 * says. */
static void
judge(struct strbuf *report,
      const char *what,
      const char *unit,
      int64_t asked,
      int64_t inside,
      int64_t described)
{
    const int64_t found = inside >= 0 ? inside : described;

    if (found > 0 && found <= asked)
        return;
    if (found <= 0 || found == INT64_MAX)
        strbuf_addf(report,
                    "%s: asked %lld%s, the engine set none: its control groups do not allow it\n",
                    what, (long long)asked, unit);
    else
        strbuf_addf(report, "%s: asked %lld%s, the engine set %lld%s\n", what, (long long)asked,
                    unit, (long long)found, unit);
}

static int
judge_groups(struct sandbox *sandbox,
             const struct sandbox_host *host,
             const struct container_facts *facts,
             struct strbuf *report,
             struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf memory = STRBUF_INIT(FILE_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf processes = STRBUF_INIT(FILE_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf cpu = STRBUF_INIT(FILE_BYTES);

    int result = read_either(sandbox, "/sys/fs/cgroup/memory.max",
                             "/sys/fs/cgroup/memory/memory.limit_in_bytes", &memory, err);
    if (!result)
        result = read_either(sandbox, "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max",
                             &processes, err);
    if (!result)
        result = read_either(sandbox, "/sys/fs/cgroup/cpu.max",
                             "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &cpu, err);
    if (result)
        return result;
    const int64_t bytes = read_limit(strbuf_str(&memory));
    judge(report, "memory", " MiB", host->memory_mib,
          bytes < 0 || bytes == INT64_MAX ? bytes : bytes / MIB, facts->memory_bytes / MIB);
    judge(report, "processes", "", host->processes, read_limit(strbuf_str(&processes)),
          facts->processes);
    const double inside = read_cpus(strbuf_str(&cpu));
    const double found = inside >= 0 ? inside : facts->cpus;
    if (found <= 0 || found > host->cpus + 0.01)
        strbuf_addf(report,
                    "cpus: asked %.2f, the engine set %s: its control groups do not allow it\n",
                    host->cpus, found <= 0 ? "none" : "more");
    return 0;
}

/* Is the hexadecimal number (or digit) of a line of proc_pid_status(5) `expected`? */
static bool
status_is(const char *status, const char *name, unsigned long long expected)
{
    const char *const line = strstr(status, name);

    return line && strtoull(line + strlen(name), NULL, 16) == expected;
}

/* Network interfaces, of proc_pid_net(5) dev: two lines of heading, then "  name: numbers". */
static bool
only_loopback(const char *devices)
{
    const char *line = devices;
    int number = 0;

    for (; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (++number <= 2)
            continue;
        line += strspn(line, " ");
        /* tunnels that the kernel makes in every namespace are down and cannot be raised */
        if (!str_starts_with(line, "lo:") && !strstr(line, ":       0       0"))
            return false;
    }
    return number >= 2;
}

static int
judge_privileges(struct sandbox *sandbox,
                 const struct sandbox_host *host,
                 const struct container_facts *facts,
                 struct strbuf *report,
                 struct err *err)
{
    AUTO_DONE(strbuf_done) struct strbuf status = STRBUF_INIT(FILE_BYTES);
    AUTO_DONE(strbuf_done) struct strbuf devices = STRBUF_INIT(FILE_BYTES);

    int result = sandbox_read_file(sandbox, "/proc/self/status", FILE_BYTES, &status, err);
    if (!result)
        result = sandbox_read_file(sandbox, "/proc/self/net/dev", FILE_BYTES, &devices, err);
    if (result)
        return result;
    const char *const text = strbuf_str(&status);
    if (!status_is(text, "CapBnd:", 0) || !status_is(text, "CapEff:", 0))
        strbuf_add_str(report, "capabilities: all were to be dropped, the engine left some\n");
    if (!status_is(text, "NoNewPrivs:", 1))
        strbuf_add_str(report, "no-new-privileges: asked, the engine ignores it\n");
    if (!status_is(text, "Seccomp:", 2))
        strbuf_add_str(
            report, "seccomp: the engine filters no system calls: give it its default profile\n");
    if (!facts->no_network || !only_loopback(strbuf_str(&devices)))
        strbuf_add_str(report, "network: none was to be there, the engine gives one\n");
    if (!facts->read_only_root)
        strbuf_add_str(report,
                       "root file system: asked read-only, the engine leaves it writable\n");
    if (host->user_namespace && !facts->user_namespace)
        strbuf_add_str(
            report, "user namespace: asked, the engine maps no ids: Docker does when its daemon is "
                    "started with userns-remap\n");
    if (host->workspace_in_memory && host->disk_mib + host->tmp_mib >= host->memory_mib)
        strbuf_addf(report,
                    "disk: %lld MiB of files in memory count towards its %lld MiB: raise memory or "
                    "lower disk\n",
                    (long long)host->disk_mib + host->tmp_mib, (long long)host->memory_mib);
    return 0;
}

static int
judge_image(struct sandbox *sandbox, const char *image, struct err *err)
{
    const struct sandbox_command command = {.command = "git --version"};
    const int result = box_execute_own(sandbox, &command, "git --version", 0, NULL, err);

    if (result == ERR_INVALID)
        return err_set(err, ERR_INVALID, "image \"%s\" has no git that works", image);
    return result;
}

int
sandbox_probe(const struct sandbox_host *host,
              const char *image,
              struct strbuf *report,
              struct err *err)
{
    AUTO(sandbox_close) struct sandbox *sandbox = NULL;
    struct container_facts facts = {0};
    const struct sandbox_spec spec = {
        .image = image,
        .role = "probe",
        .deadline_mono_ms = clock_mono_ms() + PROBE_MS,
        .stop = host->stop,
    };

    int result = box_open(host, &spec, &sandbox, err);
    if (!result)
        result = judge_image(sandbox, image, err);
    if (!result)
        result = engine_inspect(sandbox->engine, sandbox->container, &facts, err);
    if (!result)
        result = judge_groups(sandbox, host, &facts, report, err);
    if (!result)
        result = judge_privileges(sandbox, host, &facts, report, err);
    if (result)
        return result;
    return strbuf_ok(report) ? 0 : err_set(err, report->failed, "the report is too long");
}
