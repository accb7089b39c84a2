/* The manifest of a Reactive or Mobile module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parse/manifest.h"

#define H1 "eq9LGmzdgJbMq6dbNoVMvQ"
#define H2 "49NNIDchMt9XlrZrEO_H4A"

/* What the sink was told, as text: `path hash` and `module` lines. */
typedef struct heard {
    char text[1024];
    unsigned resources, modules;
} heard;

static void hear_resource(void *baton, osp_span path, osp_span hash)
{
    heard *all = baton;
    size_t n = strlen(all->text);
    all->resources++;
    snprintf(all->text + n, sizeof all->text - n, "%.*s %.*s\n", (int)path.n, path.p, (int)hash.n,
             hash.p);
}

static void hear_module(void *baton, osp_span name)
{
    heard *all = baton;
    size_t n = strlen(all->text);
    all->modules++;
    snprintf(all->text + n, sizeof all->text - n, "%.*s\n", (int)name.n, name.p);
}

/* Reads a copy of just its size, so that AddressSanitizer sees a byte too far. */
static bool read_bytes(const char *bytes, size_t n, heard *all, osp_manifest *out)
{
    osp_manifest_sink sink = {hear_resource, hear_module, all};
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    *all = (heard){.text = ""};
    bool good = osp_manifest_read((osp_span){copy, n}, &sink, out);
    free(copy);
    return good;
}

static bool read_text(const char *text, heard *all, osp_manifest *out)
{
    return read_bytes(text, strlen(text), all, out);
}

static void test_a_manifest_tells_its_token_resources_and_modules(void **state)
{
    heard all;
    osp_manifest out;
    (void)state;
    assert_true(
        read_text("{\"manifest\":{\"versionToken\":\"" H2 "\",\"urlVersions\":{"
                  "\"/MyApp/scripts/OutSystems.js\":\"?" H1
                  "\",\"/ImageRepository/img/logo.png\":\"?" H2 "\"},"
                  "\"urlMappings\":{\"/MyApp/\":\"/MyApp/index.html\"},\"urlMappingsNoCache\":{}},"
                  "\"data\":{\"modules\":{\"k1\":{\"moduleName\":\"MyApp\"},"
                  "\"k2\":{\"moduleName\":\"OutSystemsUI\",\"other\":[1,2.5,null,true]}}}}",
                  &all, &out));
    assert_string_equal(out.token, H2);
    assert_int_equal(out.resources, 2);
    assert_int_equal(out.modules, 2);
    assert_int_equal(out.malformed, 0);
    assert_false(out.is_mobile);
    assert_false(out.cut);
    assert_non_null(strstr(all.text, "/MyApp/scripts/OutSystems.js " H1 "\n"));
    assert_non_null(strstr(all.text, "/ImageRepository/img/logo.png " H2 "\n"));
    assert_non_null(strstr(all.text, "MyApp\nOutSystemsUI\n"));
}

static void test_bytes_before_the_first_brace_are_skipped(void **state)
{
    heard all;
    osp_manifest out;
    (void)state;
    assert_true(read_text("\xef\xbb\xbf{\"manifest\":{\"versionToken\":\"t\"}}", &all, &out));
    assert_string_equal(out.token, "t");
    assert_true(read_bytes("\0\0 )]}',\n{\"manifest\":{}}", 24, &all, &out));
    assert_string_equal(out.token, "");
}

static void test_a_module_with_cordova_is_mobile(void **state)
{
    static const struct {
        const char *path;
        bool mobile;
    } vectors[] = {
        {"/MyApp/scripts/cordova.js", true},     {"/MyApp/cordova.js", true},
        {"/MyApp/scripts/notcordova.js", false}, {"/MyApp/cordova.js/x", false},
        {"/MyApp/scripts/cordova.json", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char text[200];
        heard all;
        osp_manifest out;
        snprintf(text, sizeof text, "{\"manifest\":{\"urlVersions\":{\"%s\":\"?" H1 "\"}}}",
                 vectors[i].path);
        assert_true(read_text(text, &all, &out));
        assert_int_equal(out.is_mobile, vectors[i].mobile);
    }
}

static void test_malformed_entries_are_skipped_and_counted(void **state)
{
    static const char *const resources[] = {
        "\"relative/x.js\":\"?" H1 "\"",
        "\"//other.example/x.js\":\"?" H1 "\"",
        "\"https://other.example/x.js\":\"?" H1 "\"",
        "\"\":\"?" H1 "\"",
        "\"/\":\"?" H1 "\"",
        "\"/a b\":\"?" H1 "\"",
        "\"/a\\r\\nX: y\":\"?" H1 "\"",
        "\"/a\\u007f\":\"?" H1 "\"",
        "\"/a?b\":\"?" H1 "\"",
        "\"/a#b\":\"?" H1 "\"",
        "\"/a\\\\b\":\"?" H1 "\"",
        "\"/a\":\"" H1 "\"",
        "\"/a\":\"?8322\"",
        "\"/a\":\"?\"",
        "\"/a\":\"\"",
        "\"/a\":\"?eq9LGmzdgJbMq6dbNoVMv\\u0000\"",
        "\"/a\":null",
        "\"/a\":22",
        "\"/a\":{\"b\":\"?" H1 "\"}",
    };
    static const char *const modules[] = {
        "{\"moduleName\":\"a/b\"}",
        "{\"moduleName\":\"\"}",
        "{\"moduleName\":\"..\"}",
        "{\"moduleName\":\"a\\u0000\"}",
        "{\"moduleName\":\"a b\"}",
        "{\"moduleName\":7}",
        "{\"moduleName\":[\"a\"]}",
        "{}",
        "null",
        "\"a\"",
        "[]",
    };
    char text[400];
    heard all;
    osp_manifest out;
    (void)state;
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        snprintf(text, sizeof text, "{\"manifest\":{\"urlVersions\":{%s,\"/good\":\"?" H2 "\"}}}",
                 resources[i]);
        assert_true(read_text(text, &all, &out));
        if (strcmp(all.text, "/good " H2 "\n") != 0 || out.malformed != 1) {
            fail_msg("'%s' gives %u malformed and '%s'", resources[i], out.malformed, all.text);
        }
    }
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        snprintf(
            text, sizeof text,
            "{\"manifest\":{},\"data\":{\"modules\":{\"1\":%s,\"2\":{\"moduleName\":\"good\"}}}}",
            modules[i]);
        assert_true(read_text(text, &all, &out));
        if (strcmp(all.text, "good\n") != 0 || out.malformed != 1) {
            fail_msg("'%s' gives %u malformed and '%s'", modules[i], out.malformed, all.text);
        }
    }
}

static void test_what_is_no_manifest_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "{}",
        "[]",
        "null",
        "<html>{}</html>",
        "{\"manifest\":[]}",
        "{\"manifest\":null}",
        "{\"manifest\":{}",
        "{\"manifest\":{}} x",
        "{\"data\":{\"modules\":{\"1\":{\"moduleName\":\"a\"}}}}",
        "{\"versionToken\":\"t\"}",
        "{\"manifest\":{\"versionToken\":\"\xff\"}}",
    };
    heard all;
    osp_manifest out;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (read_text(texts[i], &all, &out) || all.text[0] || out.cut) {
            fail_msg("'%s' is taken for a manifest", texts[i]);
        }
    }
    assert_false(osp_manifest_read((osp_span){NULL, 0}, &(osp_manifest_sink){0}, &out));
}

static void test_members_of_another_type_hold_nothing(void **state)
{
    static const char *const texts[] = {
        "{\"manifest\":{\"urlVersions\":[\"/a\",\"?" H1 "\"]},\"data\":[]}",
        "{\"manifest\":{\"urlVersions\":null,\"versionToken\":{}},\"data\":\"modules\"}",
        "{\"manifest\":{\"urlVersions\":\"x\"},\"data\":{\"modules\":[{\"moduleName\":\"a\"}]}}",
    };
    heard all;
    osp_manifest out;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_true(read_text(texts[i], &all, &out));
        assert_string_equal(all.text, "");
        assert_string_equal(out.token, "");
    }
}

static void test_a_sink_may_listen_to_one_kind_or_none(void **state)
{
    static const char text[] = "{\"manifest\":{\"urlVersions\":{\"/a\":\"?" H1 "\"}},"
                               "\"data\":{\"modules\":{\"1\":{\"moduleName\":\"M\"}}}}";
    osp_manifest out;
    (void)state;
    assert_true(osp_manifest_read(osp_span_of(text), &(osp_manifest_sink){0}, &out));
    assert_int_equal(out.resources, 1);
    assert_int_equal(out.modules, 1);
}

/* A text that is begin, then count times the pieces with a number between them, then end. */
static char *repeat(const char *begin, const char *a, const char *b, unsigned count,
                    const char *end)
{
    size_t size = strlen(begin) + strlen(end) + (strlen(a) + strlen(b) + 10) * count + 1;
    char *text = malloc(size);
    assert_non_null(text);
    size_t n = (size_t)snprintf(text, size, "%s", begin);
    for (unsigned i = 0; i < count; i++) {
        n += (size_t)snprintf(text + n, size - n, "%s%s%u%s", i ? "," : "", a, i, b);
    }
    snprintf(text + n, size - n, "%s", end);
    return text;
}

static void test_resources_and_modules_beyond_the_limits_are_cut(void **state)
{
    heard all;
    osp_manifest out;
    char *text = repeat("{\"manifest\":{\"urlVersions\":{", "\"/", "\":\"?" H1 "\"",
                        OSP_MANIFEST_RESOURCES + 1, "}}}");
    (void)state;
    assert_true(read_text(text, &all, &out));
    assert_int_equal(out.resources, OSP_MANIFEST_RESOURCES);
    assert_int_equal(all.resources, OSP_MANIFEST_RESOURCES);
    assert_true(out.cut);
    free(text);

    text = repeat("{\"manifest\":{},\"data\":{\"modules\":{", "\"", "\":{\"moduleName\":\"M\"}",
                  OSP_MANIFEST_MODULES + 1, "}}}");
    assert_true(read_text(text, &all, &out));
    assert_int_equal(out.modules, OSP_MANIFEST_MODULES);
    assert_int_equal(all.modules, OSP_MANIFEST_MODULES);
    assert_true(out.cut);
    free(text);
}

static void assert_cut(char *text, size_t n)
{
    heard all;
    osp_manifest out;
    assert_false(read_bytes(text, n, &all, &out));
    assert_true(out.cut);
    free(text);
}

static void test_a_body_that_would_take_much_memory_is_not_read(void **state)
{
    char *text = repeat("{\"manifest\":{},\"x\":[", "[", "]", OSP_MANIFEST_OBJECTS, "]}");
    (void)state;
    assert_cut(text, strlen(text));
    text = repeat("{\"manifest\":{},\"x\":[", "", "", OSP_MANIFEST_VALUES, "]}");
    assert_cut(text, strlen(text));

    text = malloc(OSP_MANIFEST_BYTES + 1);
    assert_non_null(text);
    memset(text, ' ', OSP_MANIFEST_BYTES + 1);
    memcpy(text, "{\"manifest\":{}}", 15);
    assert_cut(text, OSP_MANIFEST_BYTES + 1);
}

static void test_commas_and_braces_in_strings_do_not_count(void **state)
{
    static const char begin[] = "{\"manifest\":{},\"x\":\"\\\"", end[] = "\"}";
    size_t n = 2 * OSP_MANIFEST_VALUES;
    char *text = malloc(sizeof begin + n + sizeof end);
    heard all;
    osp_manifest out;
    (void)state;
    assert_non_null(text);
    memcpy(text, begin, sizeof begin - 1);
    for (size_t i = 0; i < n; i++) {
        text[sizeof begin - 1 + i] = ",{"[i % 2];
    }
    memcpy(text + sizeof begin - 1 + n, end, sizeof end);
    assert_true(read_text(text, &all, &out));
    free(text);
}

static void test_nesting_without_end_is_refused(void **state)
{
    char text[10000];
    heard all;
    osp_manifest out;
    (void)state;
    memset(text, '[', sizeof text);
    memcpy(text, "{\"manifest\":", 12);
    assert_false(read_bytes(text, sizeof text, &all, &out));
}

static void test_the_version_token_is_read(void **state)
{
    static const struct {
        const char *body, *token; /* "": none */
    } vectors[] = {
        {"{\"versionToken\":\"" H2 "\"}", H2},
        {"\xef\xbb\xbf {\"a\":1, \"versionToken\" : \"1.2+3=\" }\r\n", "1.2+3="},
        {"{\"versionToken\":\"a\",\"versionToken\":\"b\"}", "b"},
        {"{\"versionToken\":\"123456789012345678901234567890123456789012345678901234567890123\"}",
         "123456789012345678901234567890123456789012345678901234567890123"},
        {"{\"versionToken\":\"1234567890123456789012345678901234567890123456789012345678901234\"}",
         ""},
        {"{\"versionToken\":\"a b\"}", ""},
        {"{\"versionToken\":\"a\\n\"}", ""},
        {"{\"versionToken\":\"a\\u0000b\"}", ""},
        {"{\"versionToken\":\"\xc3\xa4\"}", ""},
        {"{\"versionToken\":\"\"}", ""},
        {"{\"versionToken\":1}", ""},
        {"{\"versiontoken\":\"a\"}", ""},
        {"[\"versionToken\"]", ""},
        {"<html></html>", ""},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char token[OSP_VERSION_TOKEN] = "before";
        assert_int_equal(osp_version_token_read(osp_span_of(vectors[i].body), token),
                         vectors[i].token[0] != '\0');
        assert_string_equal(token, vectors[i].token);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_manifest_tells_its_token_resources_and_modules),
        cmocka_unit_test(test_bytes_before_the_first_brace_are_skipped),
        cmocka_unit_test(test_a_module_with_cordova_is_mobile),
        cmocka_unit_test(test_malformed_entries_are_skipped_and_counted),
        cmocka_unit_test(test_what_is_no_manifest_is_refused),
        cmocka_unit_test(test_members_of_another_type_hold_nothing),
        cmocka_unit_test(test_a_sink_may_listen_to_one_kind_or_none),
        cmocka_unit_test(test_resources_and_modules_beyond_the_limits_are_cut),
        cmocka_unit_test(test_a_body_that_would_take_much_memory_is_not_read),
        cmocka_unit_test(test_commas_and_braces_in_strings_do_not_count),
        cmocka_unit_test(test_nesting_without_end_is_refused),
        cmocka_unit_test(test_the_version_token_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
