/* Raw paths as httpd and IIS read them, for the rule path-unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/path.h"
#include "vectors/paths.h"
#include "work.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A copy in a block of just its size, so that AddressSanitizer sees a byte read too far. */
static osp_span copy_of(const char *text)
{
    size_t count = strlen(text);
    char *copy = malloc(count ? count : 1);
    assert_non_null(copy);
    memcpy(copy, text, count);
    return (osp_span){copy, count};
}

static void release(osp_span copy)
{
    free((void *)copy.p);
}

static void test_dot_segments_are_told_apart_by_who_resolves_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dots_vectors); i++) {
        const dots_vector *v = &dots_vectors[i];
        osp_span path = copy_of(v->path);
        enum osp_path_dots dots = osp_path_dots(path);
        if (dots != v->dots) {
            fail_msg("\"%s\" gives %d, not %d", v->path, (int)dots, (int)v->dots);
        }
        release(path);
    }
}

/* Puts a segment at every place of paths of every length up to a few machine words. */
static void assert_dots_anywhere(const char *segment, enum osp_path_dots wanted)
{
    size_t length = strlen(segment);
    for (size_t n = length; n < 40; n++) {
        for (size_t pos = 0; pos + length <= n; pos++) {
            char bytes[41] = "";
            memset(bytes, 'a', n);
            memcpy(bytes + pos, segment, length);
            if (pos + length < n) {
                bytes[pos + length] = '/';
            }
            osp_span path = copy_of(bytes);
            if (osp_path_dots(path) != wanted) {
                fail_msg("\"%s\" does not give %d", bytes, (int)wanted);
            }
            release(path);
        }
    }
}

static void test_a_dot_segment_is_found_wherever_it_stands(void **state)
{
    (void)state;
    assert_dots_anywhere("/.", OSP_PATH_DOTS_PLAIN);
    assert_dots_anywhere("/..", OSP_PATH_DOTS_PLAIN);
    assert_dots_anywhere("/%2e.", OSP_PATH_DOTS_PLAIN);
    assert_dots_anywhere("\\..", OSP_PATH_DOTS_HIDDEN);
    assert_dots_anywhere("/..\\", OSP_PATH_DOTS_HIDDEN);
    assert_dots_anywhere("%2f.", OSP_PATH_DOTS_HIDDEN);
    assert_dots_anywhere("/..%5c", OSP_PATH_DOTS_HIDDEN);
    assert_dots_anywhere("/...", OSP_PATH_DOTS_NONE);
}

static void test_paths_are_the_same_if_the_back_end_decodes_them_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(same_vectors); i++) {
        const same_vector *v = &same_vectors[i];
        osp_span a = copy_of(v->a), b = copy_of(v->b);
        if (osp_path_same(a, b) != v->same || osp_path_same(b, a) != v->same) {
            fail_msg("\"%s\" and \"%s\" are not %s", v->a, v->b, v->same ? "same" : "different");
        }
        release(a);
        release(b);
    }
}

static void test_a_path_that_goes_on_behind_a_nul_is_another(void **state)
{
    (void)state;
    assert_false(osp_path_same((osp_span){"/a\0b", 4}, (osp_span){"/a\0c", 4}));
    assert_false(osp_path_same((osp_span){"/a\0b", 4}, (osp_span){"/a", 2}));
    assert_true(osp_path_same((osp_span){"/a\0b", 4}, osp_span_of("/a%00b")));
}

static void test_the_module_is_the_first_segment_as_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(module_vectors); i++) {
        const module_vector *v = &module_vectors[i];
        osp_span path = copy_of(v->path);
        osp_span module = osp_path_module(path);
        assert_true(module.p >= path.p && module.p + module.n <= path.p + path.n);
        if (module.n != strlen(v->module) || memcmp(module.p, v->module, module.n) != 0) {
            fail_msg("\"%s\" names \"%.*s\", not \"%s\"", v->path, (int)module.n, module.p,
                     v->module);
        }
        release(path);
    }
}

static void test_a_path_ends_at_the_first_question_mark(void **state)
{
    (void)state;
    assert_int_equal(osp_path_length(osp_span_of("/MyApp/Home")), 11);
    assert_int_equal(osp_path_length(osp_span_of("/MyApp/Home?")), 11);
    assert_int_equal(osp_path_length(osp_span_of("/MyApp/Home?a?b")), 11);
    assert_int_equal(osp_path_length(osp_span_of("/MyApp%3fHome")), 13);
    assert_int_equal(osp_path_length(osp_span_of("?")), 0);
    assert_int_equal(osp_path_length(osp_span_of("")), 0);
}

static void test_an_empty_span_without_bytes_is_an_empty_path(void **state)
{
    (void)state;
    osp_span nothing = {NULL, 0};
    assert_int_equal(osp_path_dots(nothing), OSP_PATH_DOTS_NONE);
    assert_int_equal(osp_path_module(nothing).n, 0);
    assert_int_equal(osp_path_length(nothing), 0);
    assert_true(osp_path_same(nothing, nothing));
    assert_true(osp_path_same(nothing, osp_span_of("")));
    assert_false(osp_path_same(nothing, osp_span_of("/")));
}

static void look_for_dots(const char *bytes, size_t count)
{
    (void)osp_path_dots((osp_span){bytes, count});
}

/* With a copy that differs in its last byte, so that no comparison ends early. */
static void compare(const char *bytes, size_t count)
{
    char *other = malloc(count);
    assert_non_null(other);
    memcpy(other, bytes, count);
    other[count - 1] = '!';
    (void)osp_path_same((osp_span){bytes, count}, (osp_span){other, count});
    free(other);
}

static void find_module(const char *bytes, size_t count)
{
    (void)osp_path_module((osp_span){bytes, count});
}

static void test_work_grows_with_the_length_of_the_path_and_no_faster(void **state)
{
    (void)state;
    const char *patterns[] = {"a",     "/",      "/a",         ".",    "/.",    "/.a",
                              "/...",  "a/..b",  ";",          "..;",  "%",     "%2",
                              "%25",   "%2e",    "%2e%2e%2e/", "%2f",  "%2f.a", "\\",
                              "\\...", "/%2f\\", "%u",         "%u00", "%u002e"};
    for (size_t i = 0; i < COUNT(patterns); i++) {
        assert_true(work_is_linear(patterns[i], look_for_dots));
        assert_true(work_is_linear(patterns[i], compare));
        assert_true(work_is_linear(patterns[i], find_module));
    }
}

static void test_an_ordinary_path_costs_hardly_more_than_a_look_at_its_bytes(void **state)
{
    (void)state;
    osp_span path = osp_span_of("/MyApp/scripts/MyApp.Main.Home.mvc.js");
    work_taken();
    assert_int_equal(osp_path_dots(path), OSP_PATH_DOTS_NONE);
    assert_true(work_taken() < 5 * path.n); /* the sanitizers add steps of their own */
    assert_true(osp_path_same(path, osp_span_of("/MyApp/scripts/MyApp.Main.Home.mvc.js")));
    assert_true(work_taken() < 2 * path.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dot_segments_are_told_apart_by_who_resolves_them),
        cmocka_unit_test(test_a_dot_segment_is_found_wherever_it_stands),
        cmocka_unit_test(test_paths_are_the_same_if_the_back_end_decodes_them_alike),
        cmocka_unit_test(test_a_path_that_goes_on_behind_a_nul_is_another),
        cmocka_unit_test(test_the_module_is_the_first_segment_as_written),
        cmocka_unit_test(test_a_path_ends_at_the_first_question_mark),
        cmocka_unit_test(test_an_empty_span_without_bytes_is_an_empty_path),
        cmocka_unit_test(test_work_grows_with_the_length_of_the_path_and_no_faster),
        cmocka_unit_test(test_an_ordinary_path_costs_hardly_more_than_a_look_at_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
