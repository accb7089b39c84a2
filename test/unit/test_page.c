/* The live page's renderings: hostile text, JSON and metrics as documented, work that stays linear.
 * `test_page html` prints the page of a made-up farm, for the tests with a browser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "view.h"
#include "work.h"

#define DOCS "mod_osproxy/docs/status.md"

static const char *const hostile[] = {"<script>alert(1)</script>",
                                      "\"'><img src=x onerror=a()>&",
                                      "\x01\x1b[31mred\x7f",
                                      "\xff\xfe\xc0\xaf",
                                      "\xe2\x80\xae\xc2\x85",
                                      "a\\\nb\t",
                                      "%s%n{}",
                                      NULL};
static const char *const plain[] = {"Module", NULL};

static const char config[] =
    "Listen 443\nOSProxyEngine On\n"
    "<VirtualHost *:443>\nServerName \"<b>apps&.example.com\"\nSSLEngine on\n"
    "OSProxyRule negotiate off \"a <reason>\"\n"
    "ProxyErrorOverride On\nProxyPass \"/<x>\" \"http://app1/\"\n</VirtualHost>\n"
    "<VirtualHost *:443>\nServerName b.example.com\nOSProxyEngine Off\n</VirtualHost>\n";

/* ---- a set of words ------------------------------------------------------------------------- */

typedef struct words {
    char word[256][96];
    int count;
} words;

static bool has(const words *set, const char *word)
{
    int i;

    for (i = 0; i < set->count; i++) {
        if (strcmp(set->word[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static void keep(words *set, const char *word)
{
    if (!has(set, word)) {
        assert_true(set->count < 256);
        snprintf(set->word[set->count++], sizeof set->word[0], "%s", word);
    }
}

static void assert_within(const words *set, const words *other, const char *text)
{
    int i;

    for (i = 0; i < set->count; i++) {
        if (!has(other, set->word[i])) {
            fail_msg("%s: %s", text, set->word[i]);
        }
    }
}

/* What stands first in the rows of a table of the documentation, between backticks. */
static void read_documented(words *set, const char *prefix, const char *section)
{
    char line[1024];
    FILE *file = fopen(DOCS, "r");
    bool inside = false;

    if (!file) {
        fail_msg("%s is missing", DOCS);
        return;
    }
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "## ", 3) == 0) {
            inside = strncmp(line + 3, section, strlen(section)) == 0;
        }
        if (inside && strncmp(line, "| `", 3) == 0
            && strncmp(line + 3, prefix, strlen(prefix)) == 0) {
            line[3 + strcspn(line + 3, "`")] = '\0';
            keep(set, line + 3);
        }
    }
    fclose(file);
    assert_true(set->count > 10);
}

/* ---- JSON (RFC 8259), and the paths of its members ------------------------------------------ */

static const char *value(const char *c, const char *path, words *paths);

static const char *blanks(const char *c)
{
    return c + strspn(c, " \n");
}

static const char *string(const char *c, char *into, size_t size)
{
    size_t length = 0;

    assert_int_equal(*c, '"');
    for (c++; *c != '"'; c++) {
        assert_true((unsigned char)*c >= 0x20);
        if (*c == '\\') {
            c++;
            assert_non_null(strchr("\"\\nu", *c));
            assert_true(*c && (*c != 'u' || strspn(c + 1, "0123456789abcdef") >= 4));
        }
        if (length + 1 < size) {
            into[length++] = *c;
        }
    }
    into[length] = '\0';
    return blanks(c + 1);
}

static const char *object(const char *c, const char *path, words *paths)
{
    size_t length = strlen(path);
    bool rules = length >= 5 && strcmp(path + length - 5, "rules") == 0;

    c = blanks(c + 1);
    while (*c != '}') {
        char name[64], member[192];

        c = string(c, name, sizeof name);
        snprintf(member, sizeof member, "%s%s%s", path, *path ? "." : "", rules ? "<rule>" : name);
        if (strncmp(member, "audit.", 6) != 0) {
            keep(paths, member);
        }
        assert_int_equal(*c, ':');
        c = value(blanks(c + 1), member, paths);
        assert_true(*c == ',' || *c == '}');
        if (*c == ',') {
            c = blanks(c + 1);
            assert_int_equal(*c, '"');
        }
    }
    return blanks(c + 1);
}

static const char *array(const char *c, const char *path, words *paths)
{
    char inside[192];

    snprintf(inside, sizeof inside, "%s[]", path);
    c = blanks(c + 1);
    while (*c != ']') {
        c = value(c, inside, paths);
        assert_true(*c == ',' || *c == ']');
        if (*c == ',') {
            c = blanks(c + 1);
            assert_int_not_equal(*c, ']');
        }
    }
    return blanks(c + 1);
}

static const char *value(const char *c, const char *path, words *paths)
{
    static const char *const constants[] = {"null", "true", "false"};
    char text[8];
    size_t i;

    if (*c == '"') {
        return string(c, text, sizeof text);
    }
    if (*c == '{') {
        return object(c, path, paths);
    }
    if (*c == '[') {
        return array(c, path, paths);
    }
    for (i = 0; i < 3; i++) {
        if (strncmp(c, constants[i], strlen(constants[i])) == 0) {
            return blanks(c + strlen(constants[i]));
        }
    }
    c += *c == '-';
    assert_true(strspn(c, "0123456789") > 0);
    return blanks(c + strspn(c, "0123456789"));
}

/* ---- HTML ----------------------------------------------------------------------------------- */

/* Every tag is one of ours, closed in order, its attributes quoted; returns how many there are. */
static int check_html(const char *c)
{
    static const char known[] =
        " html head meta title style script body main h1 h2 h3 p nav a ul li table caption thead "
        "tbody tr th td span small b code pre details summary div figure svg path figcaption time "
        "hr br form button noscript ";
    static const char empty[] = " meta hr br path ";
    char open[32][16];
    int depth = 0, count = 0;

    c = strstr(c, "<html");
    assert_non_null(c);
    for (; *c; c++) {
        char name[16], spaced[18];
        bool closing;
        size_t length;

        assert_true((unsigned char)*c >= 0x20 || *c == '\n');
        if (*c != '<') {
            continue;
        }
        count++;
        closing = c[1] == '/';
        c += 1 + closing;
        length = strcspn(c, " >/");
        assert_true(length && length < sizeof name);
        snprintf(name, length + 1, "%s", c);
        snprintf(spaced, sizeof spaced, " %s ", name);
        assert_non_null(strstr(known, spaced));
        for (c += length; *c != '>'; c++) {
            assert_true(*c && *c != '<');
            if (*c == '"') {
                c += 1 + strcspn(c + 1, "\"<>\n");
                assert_int_equal(*c, '"');
            }
        }
        if (closing) {
            assert_true(depth > 0);
            assert_string_equal(open[--depth], name);
        }
        else if (!strstr(empty, spaced)) {
            assert_true(depth < 32);
            snprintf(open[depth++], sizeof open[0], "%s", name);
            if (strcmp(name, "style") == 0 || strcmp(name, "script") == 0) {
                c = strstr(c, strcmp(name, "style") == 0 ? "</style>" : "</script>") - 1;
            }
        }
    }
    assert_int_equal(depth, 0);
    return count;
}

static void the_page_is_well_formed_whatever_it_shows(void **state)
{
    test_view t;
    const char *page;

    (void)state;
    test_view_begin(&t, config);
    assert_true(check_html(test_view_render(&t, osp_page_html)) > 100);
    test_view_watch(&t, hostile, 40, 300);
    page = test_view_render(&t, osp_page_html);
    assert_true(check_html(page) > 1000);
    assert_null(strstr(page, "<script>alert"));
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "\xff"));
    assert_null(strstr(page, "\xe2\x80\xae"));
    assert_non_null(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_non_null(strstr(page, "&lt;b&gt;apps&amp;.example.com"));
    assert_non_null(strstr(page, "a &lt;reason&gt;"));
    test_view_end(&t);
}

static void one_rule(osp_sink *sink, const osp_view *view)
{
    osp_page_rule(sink, view, OSP_RULE_ERROR_OVERRIDE);
}

static void the_page_of_a_rule_says_what_to_do(void **state)
{
    test_view t;
    const char *page;

    (void)state;
    test_view_begin(&t, config);
    page = test_view_render(&t, one_rule);
    check_html(page);
    assert_non_null(strstr(page, osp_rule_get(OSP_RULE_ERROR_OVERRIDE)->requirement));
    assert_non_null(strstr(page, "violated"));
    assert_non_null(strstr(page, "test.conf:7"));
    page = test_view_render(&t, osp_page_no_rule);
    check_html(page);
    assert_non_null(strstr(page, "?rule=via"));
    test_view_end(&t);
}

static void the_sentence_at_the_top_counts_what_is_wrong(void **state)
{
    test_view t;

    (void)state;
    test_view_begin(&t, config);
    assert_non_null(strstr(test_view_render(&t, osp_page_html), "class=\"verdict bad\""));
    test_view_end(&t);
    test_view_begin(&t, "OSProxyEngine Off\n");
    assert_non_null(strstr(test_view_render(&t, osp_page_html), "Nothing is watched"));
    t.view.audit = NULL;
    assert_non_null(strstr(test_view_render(&t, osp_page_html), "engine is off everywhere"));
    test_view_watch(&t, plain, 1, 0);
    t.model->modules[0].state = OSP_MODULE_NOT_MAPPED;
    t.model->modules[0].declared = 1;
    t.model->apps[2].up = 1;
    t.model->faults[0].cause = OSP_CAUSE_NONE;
    assert_non_null(
        strstr(test_view_render(&t, osp_page_html), "1 module is not available from outside"));
    test_view_end(&t);
}

static void an_app_server_that_is_down_is_named_once_in_each_place(void **state)
{
    test_view t;
    const char *page;

    (void)state;
    test_view_begin(&t, config);
    test_view_watch(&t, plain, 0, 0);
    page = test_view_render(&t, osp_page_html);
    assert_non_null(strstr(page, "1 app server does not answer"));
    assert_non_null(strstr(page, "Module2"));
    test_view_end(&t);
}

/* A rule that is off on one virtual host: there its findings stand aside, with the reason, and elsewhere as
 * ever. */
static void what_is_off_is_shown_with_its_reason_and_does_not_count(void **state)
{
    static const char off[] =
        "OSProxyEngine On\n<VirtualHost *:443>\nServerName a.example.com\n"
        "OSProxyRule referenced-content off \"they are <elsewhere>\"\n</VirtualHost>\n"
        "<VirtualHost *:443>\nServerName b.example.com\nOSProxyEngine Off\n</VirtualHost>\n";
    test_view t;
    const char *page;
    int i;

    (void)state;
    test_view_begin(&t, off);
    t.view.audit = NULL; /* whose own findings are no matter here */
    test_view_watch(&t, plain, 2, 0);
    memset(t.model->faults, 0, sizeof t.model->faults);
    memset(t.model->apps, 0, sizeof t.model->apps);
    for (i = 0; i < 2; i++) {
        t.model->modules[i].site = (uint16_t)i;
        t.model->modules[i].declared = 1;
        t.model->modules[i].state = OSP_MODULE_NOT_MAPPED;
    }
    page = test_view_render(&t, osp_page_html);
    assert_non_null(strstr(page, "2 modules are not available from outside"));
    t.model->sites[0].off = (uint32_t)1 << OSP_RULE_REFERENCED_CONTENT;
    page = test_view_render(&t, osp_page_html);
    check_html(page);
    assert_non_null(strstr(page, "1 module is not available from outside"));
    assert_non_null(strstr(page, "referenced-content</a>: they are &lt;elsewhere&gt;"));
    assert_non_null(strstr(page, "2 modules are known, 1 of them not available"));
    page = test_view_render(&t, osp_page_json);
    assert_non_null(strstr(page, "\"severity\":\"off\",\"rule\":\"referenced-content\","
                                 "\"reason\":\"they are <elsewhere>\""));
    assert_non_null(strstr(page, "\"severity\":\"warning\""));
    assert_non_null(strstr(test_view_render(&t, osp_page_metrics), "osproxy_troubles_missing 1\n"));
    t.model->sites[1].off = t.model->sites[0].off; /* where nobody says why */
    assert_non_null(strstr(test_view_render(&t, osp_page_html), "All is well"));
    test_view_end(&t);
}

static void each_cause_belongs_to_the_rule_that_its_page_names(void **state)
{
    test_view t;
    const char *page;

    (void)state;
    test_view_begin(&t, config);
    test_view_watch(&t, plain, 6, 0);
    memset(t.model->apps, 0, sizeof t.model->apps);
    t.model->sites[0].off = (uint32_t)1 << OSP_RULE_NO_CACHE;
    t.model->sites[1].off = (uint32_t)1 << OSP_RULE_PATH_UNCHANGED;
    page = test_view_render(&t, osp_page_json);
    assert_non_null(strstr(page, "\"severity\":\"off\",\"rule\":\"no-cache\""));
    assert_non_null(strstr(page, "\"severity\":\"off\",\"rule\":\"path-unchanged\""));
    assert_non_null(strstr(page, "\"severity\":\"warning\",\"rule\":\"path-unchanged\""));
    assert_null(strstr(page, "\"severity\":\"off\",\"rule\":\"referenced-content\""));
    test_view_end(&t);
}

static void a_check_on_demand_is_told_of(void **state)
{
    test_view t;
    const char *page;

    (void)state;
    test_view_begin(&t, config);
    assert_null(strstr(test_view_render(&t, osp_page_html), "Check now"));
    test_view_watch(&t, plain, 1, 0);
    page = test_view_render(&t, osp_page_html);
    assert_non_null(strstr(page, "Check now"));
    assert_non_null(strstr(page, "Checked as asked"));
    assert_null(strstr(page, "noscript"));
    t.model->asked++;
    page = test_view_render(&t, osp_page_html);
    check_html(page);
    assert_non_null(strstr(page, "A check is under way"));
    assert_non_null(strstr(page, "<noscript><meta http-equiv=\"refresh\""));
    t.model->asked_at = TEST_NOW - 10000; /* nobody waits for ever */
    page = test_view_render(&t, osp_page_html);
    assert_non_null(strstr(page, "has not come to its end"));
    assert_null(strstr(page, "noscript"));
    test_view_end(&t);
}

static void what_cannot_be_asked_is_no_finding(void **state)
{
    test_view t;
    const char *page;

    (void)state;
    test_view_begin(&t, config);
    test_view_watch(&t, plain, 1, 0);
    t.model->sites[0].hindrance = OSP_HINDRANCE_PROXY_PROTOCOL;
    t.model->modules[0].hindrance = OSP_HINDRANCE_PROXY_PROTOCOL;
    t.model->modules[0].declared = 1;
    t.model->modules[0].state = OSP_MODULE_UNASKABLE;
    page = test_view_render(&t, osp_page_html);
    check_html(page);
    assert_non_null(strstr(page, "Module0:443, for it takes the PROXY protocol"));
    assert_non_null(strstr(page, "1 module is known."));
    assert_null(strstr(page, "not available from outside:"));
    assert_non_null(strstr(test_view_render(&t, osp_page_json),
                           "\"cannot_be_asked\":\"it takes the PROXY protocol\""));
    test_view_end(&t);
}

/* ---- for programs --------------------------------------------------------------------------- */

static void json_is_json_with_the_documented_members(void **state)
{
    words paths = {.count = 0}, documented = {.count = 0};
    test_view t;

    (void)state;
    test_view_begin(&t, config);
    test_view_watch(&t, hostile, 40, 300);
    assert_int_equal(*value(test_view_render(&t, osp_page_json), "", &paths), '\0');
    read_documented(&documented, "", "JSON");
    assert_within(&paths, &documented, DOCS " does not have");
    assert_within(&documented, &paths, "the JSON does not have");
    t.view.model = NULL;
    t.view.audit = NULL;
    assert_int_equal(*value(test_view_render(&t, osp_page_json), "", &paths), '\0');
    test_view_end(&t);
}

/* name{label="value",…} number */
static void check_sample(const char *line, size_t length, words *names)
{
    const char *c = line, *end = line + length;
    char name[96];

    c += strspn(c, "abcdefghijklmnopqrstuvwxyz_");
    snprintf(name, sizeof name, "%.*s", (int)(c - line), line);
    keep(names, name);
    if (*c == '{') {
        do {
            c++;
            c += strspn(c, "abcdefghijklmnopqrstuvwxyz_");
            assert_true(c[0] == '=' && c[1] == '"');
            for (c += 2; *c != '"'; c++) {
                assert_true(c < end && (unsigned char)*c >= 0x20);
                c += *c == '\\';
            }
            c++;
        } while (*c == ',');
        assert_int_equal(*c++, '}');
    }
    assert_int_equal(*c++, ' ');
    assert_true(strspn(c, "0123456789") > 0);
    assert_ptr_equal(c + strspn(c, "0123456789"), end);
}

static void metrics_are_the_documented_ones(void **state)
{
    words names = {.count = 0}, documented = {.count = 0};
    const char *text;
    test_view t;

    (void)state;
    test_view_begin(&t, config);
    test_view_watch(&t, hostile, 40, 300);
    for (text = test_view_render(&t, osp_page_metrics); *text; text += strcspn(text, "\n") + 1) {
        if (*text != '#') {
            check_sample(text, strcspn(text, "\n"), &names);
        }
        else if (strncmp(text, "# EOF\n", 6) == 0) {
            assert_int_equal(text[6], '\0');
        }
    }
    read_documented(&documented, "osproxy_", "Metrics");
    assert_within(&names, &documented, DOCS " does not have");
    assert_within(&documented, &names, "the metrics do not have");
    test_view_end(&t);
}

/* ---- encoders ------------------------------------------------------------------------------- */

static void foreign_text_is_harmless_where_it_goes(void **state)
{
    static const struct {
        void (*put)(osp_out *out, const char *text);
        const char *text, *expected;
    } cases[] = {
        {osp_out_html, "a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;"},
        {osp_out_html, "\x01\x1b\x7f\t", "????"},
        {osp_out_html, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
         "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {osp_out_html, "\xc3", "?"},
        {osp_out_html, "\xed\xa0\x80\xc0\x80", "?????"},
        {osp_out_html, "\xc2\x9b\xe2\x80\xae\xe2\x81\xa6", "???"},
        {osp_out_json, "a\"\\\n\x01\xff", "\"a\\\"\\\\\\n\\u0001\\ufffd\""},
        {osp_out_json, NULL, "null"},
        {osp_out_label, "a\"\\\n\x01\xff<", "a\\\"\\\\\\n?\?<"},
    };
    test_arena arena;
    size_t i;

    (void)state;
    test_arena_begin(&arena);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        osp_out out = {.memory = &arena.memory};

        cases[i].put(&out, cases[i].text);
        assert_string_equal(out.text, cases[i].expected);
    }
    test_arena_end(&arena);
}

static void times_are_civil(void **state)
{
    static const struct {
        int64_t when;
        const char *expected;
    } cases[] = {{951782400, "2000-02-29T00:00:00Z"},
                 {1798761599, "2026-12-31T23:59:59Z"},
                 {253402300799, "9999-12-31T23:59:59Z"},
                 {1, "1970-01-01T00:00:01Z"},
                 {0, "never"},
                 {INT64_MIN, "never"},
                 {INT64_MAX, "never"}};
    test_view t;
    size_t i;

    (void)state;
    test_view_begin(&t, config);
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        osp_sink sink = {.out = {.memory = &t.arena.memory}};

        osp_page_ago(&sink, cases[i].when, TEST_NOW);
        assert_non_null(strstr(sink.out.text, cases[i].expected));
    }
    test_view_end(&t);
}

/* ---- size ----------------------------------------------------------------------------------- */

static unsigned long work_of(void (*render)(osp_sink *, const osp_view *), unsigned modules,
                             unsigned references)
{
    unsigned long work;
    test_view t;

    test_view_begin(&t, config);
    test_view_watch(&t, plain, modules, references);
    work_taken();
    test_view_render(&t, render);
    work = work_taken();
    test_view_end(&t);
    return work;
}

static void work_grows_with_the_farm_and_no_faster(void **state)
{
    void (*const renderings[])(osp_sink *, const osp_view *) = {osp_page_html, osp_page_json,
                                                                osp_page_metrics};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof renderings / sizeof *renderings; i++) {
        unsigned long half = work_of(renderings[i], 1000, 10000);
        unsigned long whole = work_of(renderings[i], 2000, 20000);

        if (whole > 2 * half + half / 4) {
            fail_msg("rendering %d: %lu for half, %lu for the whole", (int)i, half, whole);
        }
    }
}

static int print_page(void)
{
    static const char *const names[] = {
        "ImageRepository", "A_rather_long_module_name_without_a_space", "Portal", NULL};
    test_view t;

    test_view_begin(&t, config);
    test_view_watch(&t, names, 60, 400);
    fputs(test_view_render(&t, osp_page_html), stdout);
    test_view_end(&t);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_well_formed_whatever_it_shows),
        cmocka_unit_test(the_page_of_a_rule_says_what_to_do),
        cmocka_unit_test(the_sentence_at_the_top_counts_what_is_wrong),
        cmocka_unit_test(what_is_off_is_shown_with_its_reason_and_does_not_count),
        cmocka_unit_test(each_cause_belongs_to_the_rule_that_its_page_names),
        cmocka_unit_test(a_check_on_demand_is_told_of),
        cmocka_unit_test(what_cannot_be_asked_is_no_finding),
        cmocka_unit_test(an_app_server_that_is_down_is_named_once_in_each_place),
        cmocka_unit_test(json_is_json_with_the_documented_members),
        cmocka_unit_test(metrics_are_the_documented_ones),
        cmocka_unit_test(foreign_text_is_harmless_where_it_goes),
        cmocka_unit_test(times_are_civil),
        cmocka_unit_test(work_grows_with_the_farm_and_no_faster),
    };

    if (argc > 1 && strcmp(argv[1], "html") == 0) {
        return print_page();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
