/* A unit test program in TAP (Test Anything Protocol, version 12) from one header.
 *
 * TEST(name) { ... } defines a case; CHECK and friends fail it and leave it at once; TEST_MAIN() at
 * the end of the file runs all of them in order, or those named on the command line. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fields of settings and records are `char *`, since elsewhere they are owned. */
static inline char *
borrowed(const char *text)
{
    return (char *)(uintptr_t)text;
}

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};

static struct test_case *test_first;
static struct test_case **test_last = &test_first;
static jmp_buf test_leave; /* the one use of setjmp: a failed check must end its case */

#define TEST(case_name)                                                                            \
    static void test_##case_name(void);                                                            \
    __attribute__((constructor)) static void test_add_##case_name(void)                            \
    {                                                                                              \
        static struct test_case me = {.name = #case_name, .run = test_##case_name};                \
        *test_last = &me;                                                                          \
        test_last = &me.next;                                                                      \
    }                                                                                              \
    static void test_##case_name(void)

/* Say why a case failed, each line as a TAP comment. */
__attribute__((format(printf, 3, 4))) static void
test_explain(const char *file, int line, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    const int len = vasprintf(&text, format, args);
    va_end(args);
    printf("# %s:%d: ", file, line);
    for (const char *p = len < 0 ? "" : text; *p; p++)
        printf(*p == '\n' ? "\n# " : "%c", *p);
    printf("\n");
    free(text);
}

#define TEST_FAIL(...)                                                                             \
    do {                                                                                           \
        test_explain(__FILE__, __LINE__, __VA_ARGS__);                                             \
        longjmp(test_leave, 1);                                                                    \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            TEST_FAIL("failed: %s", #condition);                                                   \
    } while (0)

#define CHECK_INT(actual, expected)                                                                \
    do {                                                                                           \
        const int64_t actual_ = (int64_t)(actual);                                                 \
        const int64_t expected_ = (int64_t)(expected);                                             \
        if (actual_ != expected_)                                                                  \
            TEST_FAIL("%s is %lld, expected %lld", #actual, (long long)actual_,                    \
                      (long long)expected_);                                                       \
    } while (0)

#define CHECK_STR(actual, expected)                                                                \
    do {                                                                                           \
        const char *actual_ = (actual);                                                            \
        const char *expected_ = (expected);                                                        \
        if (!actual_ || strcmp(actual_, expected_) != 0)                                           \
            TEST_FAIL("%s is \"%s\", expected \"%s\"", #actual, actual_ ? actual_ : "(null)",      \
                      expected_);                                                                  \
    } while (0)

#define CHECK_CONTAINS(text, part)                                                                 \
    do {                                                                                           \
        const char *text_ = (text);                                                                \
        const char *part_ = (part);                                                                \
        if (!text_ || !strstr(text_, part_))                                                       \
            TEST_FAIL("%s is \"%s\", which lacks \"%s\"", #text, text_ ? text_ : "(null)", part_); \
    } while (0)

/* A call that must succeed; `error` is the struct err it fills in. */
#define CHECK_OK(call, error)                                                                      \
    do {                                                                                           \
        const int result_ = (call);                                                                \
        if (result_)                                                                               \
            TEST_FAIL("%s failed with %d: %s", #call, result_, (error).msg);                       \
    } while (0)

/* In a function of its own, so that no variable lives across setjmp(). */
static int
test_run_one(const struct test_case *c)
{
    if (setjmp(test_leave))
        return 0;
    c->run();
    return 1;
}

/* How many times longer than on an idle machine something bounded may take: sanitizers and neighbours slow it.
 * Bounds with it tell a wrong order of growth, not a speed. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define TEST_PATIENCE 30
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TEST_PATIENCE 30
#endif
#endif
#ifndef TEST_PATIENCE
#define TEST_PATIENCE 6
#endif

static int
test_run_all(int argc, char **argv)
{
    int number = 0;
    int failures = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct test_case *c = test_first; c; c = c->next) {
        int wanted = argc < 2;
        for (int i = 1; i < argc; i++)
            wanted |= strcmp(argv[i], c->name) == 0;
        if (!wanted)
            continue;
        const int passed = test_run_one(c);
        failures += !passed;
        printf("%s %d - %s\n", passed ? "ok" : "not ok", ++number, c->name);
    }
    printf("1..%d\n", number);
    return failures > 0;
}

#define TEST_MAIN()                                                                                \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return test_run_all(argc, argv);                                                           \
    }
