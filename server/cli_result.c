/* See cli_result.h. */
#include "server/cli_result.h"

#include "server/base/js.h"
#include "server/cli_common.h"

#include <stdio.h>
#include <string.h>

void
cli_print_field(const char *name, const char *value)
{
    if (!value || !*value)
        return;
    (void)printf("%-14s ", name);
    cli_print_line(value);
    (void)putchar('\n');
}

/* The name stands before the first line only. */
static void
print_detail(const char *detail)
{
    const char *name = "detail";

    while (detail && *detail) {
        const size_t len = strcspn(detail, "\n");
        auto_free char *line = strndup(detail, len);
        if (len > 0) {
            cli_print_field(name, line);
            name = "";
        }
        detail += len + (detail[len] == '\n');
    }
}

static void
print_flags(const char *flags)
{
    AUTO(js_free) json_t *list = NULL;

    if (!flags || js_parse(bytes_of_str(flags), &list, NULL))
        return;
    for (size_t i = 0; i < json_array_size(list); i++)
        cli_print_field(i ? "" : "flagged", json_string_value(json_array_get(list, i)));
}

void
cli_print_findings(const struct run *run)
{
    print_detail(run->detail);
    print_flags(run->flags);
}

void
cli_print_checks(const struct check_result_list *checks)
{
    static const char *const phases[CHECK_PHASE_COUNT] = {"before", "after", "proof"};

    for (size_t i = 0; i < checks->count; i++) {
        const struct check_result *check = &checks->items[i];
        (void)printf("%-14s ", i ? "" : "checks");
        cli_print_line(check->name);
        (void)fputs(": ", stdout);
        cli_print_words(check_verdict_name(check->verdict));
        for (int phase = 0; phase < CHECK_PHASE_COUNT; phase++) {
            (void)printf("%s%s: ", phase ? ", " : " (", phases[phase]);
            cli_print_words(check_status_name(check->phases[phase].status));
        }
        (void)puts(")");
    }
}
