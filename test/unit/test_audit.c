/* The audit's pure part: facts from lines, findings from facts, and how they read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <regex.h>
#include <stdio.h>

#include "audit/render.h"
#include "config.h"

/* ---- helpers ------------------------------------------------------------------------------- */

static int posix_matches(void *baton, const char *pattern, const char *text)
{
    regex_t regex;
    int fold = strncmp(pattern, "(?i)", 4) == 0, found;

    (void)baton;
    if (regcomp(&regex, pattern + 4 * fold, REG_EXTENDED | REG_NOSUB | (fold ? REG_ICASE : 0))
        != 0) {
        return strstr(pattern, "(?!nr2)") ? 0 : -1;
    }
    found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

typedef struct world {
    test_arena arena;
    osp_facts facts;
    osp_audit audit;
} world;

#define QUIET "OSProxyEngine On\nKeepAliveTimeout 30\nProxyTimeout 120\nListen 80\nListen 443\n"

static void audit_text(world *w, const char *text, bool survey)
{
    osp_server *server;

    test_arena_begin(&w->arena);
    w->facts = (osp_facts){.memory = &w->arena.memory,
                           .matches = posix_matches,
                           .mpm = "event",
                           .mpm_daemons = 16,
                           .mpm_threads = 64,
                           .survey = survey};
    test_config_read(&w->facts, text);
    for (server = w->facts.main; server; server = server->next) {
        const osp_line *line = osp_setting(&w->facts, server, OSP_W_KEEP_ALIVE_TIMEOUT);

        server->keep_alive_ms = line ? osp_text_milliseconds(osp_line_arg(line, 0), "s") : 5000;
    }
    osp_audit_run(&w->audit, &w->facts);
}

static void done(world *w)
{
    test_arena_end(&w->arena);
}

static const osp_finding *finding_of(const world *w, enum osp_rule_id rule)
{
    const osp_finding *finding;

    for (finding = w->audit.findings; finding; finding = finding->next) {
        if (finding->rule == rule) {
            return finding;
        }
    }
    return NULL;
}

/* Audits a TLS virtual host with body in it, and expects this one finding of the rule. */
static void expect(const char *body, enum osp_rule_id rule, enum osp_severity severity,
                   const char *fix)
{
    char text[4096];
    const osp_finding *finding;
    world w;

    snprintf(text, sizeof text,
             QUIET "<VirtualHost *:443>\nServerName a.example.com\nSSLEngine on\n"
                   "%s\n</VirtualHost>\n",
             body);
    audit_text(&w, text, false);
    finding = finding_of(&w, rule);
    assert_non_null(finding);
    assert_string_equal(osp_severity_name(severity), osp_severity_name(finding->severity));
    if (fix) {
        assert_non_null(finding->edits);
        assert_string_equal(finding->edits->text ? finding->edits->text : "", fix);
    }
    done(&w);
}

static void expect_nothing(const char *body, enum osp_rule_id rule)
{
    char text[4096];
    const osp_finding *finding;
    world w;

    snprintf(text, sizeof text,
             QUIET "<VirtualHost *:443>\nServerName a.example.com\nSSLEngine on\n"
                   "%s\n</VirtualHost>\n",
             body);
    audit_text(&w, text, false);
    finding = finding_of(&w, rule);
    assert_string_equal(finding ? finding->text : "", "");
    done(&w);
}

#define BLOCKED "<LocationMatch ^/(S|l|L|P|s|U)[a-zA-Z.]*/>\nRequire local\n</LocationMatch>\n"

/* ---- text ---------------------------------------------------------------------------------- */

static void arguments_split_as_httpd_splits_them(void **state)
{
    test_arena arena;
    osp_arg *arg;

    (void)state;
    test_arena_begin(&arena);
    assert_int_equal(osp_args_split(&arena.memory, " a  \"b \\\"c\" 'd e' f\\\\g \"h", &arg), 5);
    assert_string_equal(arg[0].text, "a");
    assert_string_equal(arg[1].text, "b \"c");
    assert_string_equal(arg[2].text, "d e");
    assert_string_equal(arg[3].text, "f\\g");
    assert_string_equal(arg[4].text, "h");
    assert_int_equal(osp_args_split(&arena.memory, " \t", &arg), 0);
    test_arena_end(&arena);
}

static void globs_match_as_server_alias_does(void **state)
{
    (void)state;
    assert_true(osp_text_globs("*.example.com", "A.b.Example.com"));
    assert_true(osp_text_globs("a?c*", "abc"));
    assert_true(osp_text_globs("*", ""));
    assert_false(osp_text_globs("*.example.com", "example.com"));
    assert_false(osp_text_globs("a", "ab"));
}

static void times_have_units(void **state)
{
    (void)state;
    assert_int_equal(osp_text_milliseconds("30", "s"), 30000);
    assert_int_equal(osp_text_milliseconds("500ms", "s"), 500);
    assert_int_equal(osp_text_milliseconds("2min", "s"), 120000);
    assert_int_equal(osp_text_milliseconds("x", "s"), -1);
    assert_int_equal(osp_text_milliseconds("5parsecs", "s"), -1);
}

static void a_map_keeps_what_came_first(void **state)
{
    test_arena arena;
    osp_map map = {.memory = &arena.memory};
    char *keys[500];
    int i;

    (void)state;
    test_arena_begin(&arena);
    for (i = 0; i < 500; i++) {
        keys[i] = osp_text_format(&arena.memory, "Key%d", i);
        assert_ptr_equal(osp_map_add(&map, keys[i], keys[i]), keys[i]);
    }
    assert_ptr_equal(osp_map_add(&map, "KEY7", keys[8]), keys[7]);
    assert_ptr_equal(osp_map_get(&map, "key499"), keys[499]);
    assert_null(osp_map_get(&map, "key500"));
    test_arena_end(&arena);
}

static void a_changed_line_keeps_what_is_around(void **state)
{
    world w;
    const osp_line *line;

    (void)state;
    audit_text(&w, "Header always  edit Set-Cookie \"^(.*)$\" \"$1; HttpOnly\"\n", false);
    line = w.facts.main->first[OSP_W_HEADER];
    assert_string_equal(osp_line_with(&w.arena.memory, line, 3, "a \"b\\"),
                        "Header always  edit Set-Cookie \"a \\\"b\\\\\" \"$1; HttpOnly\"");
    assert_string_equal(osp_line_with(&w.arena.memory, line, 4, NULL),
                        "Header always  edit Set-Cookie \"^(.*)$\"");
    done(&w);
}

static void targets_are_read(void **state)
{
    test_arena arena;
    osp_target target;

    (void)state;
    test_arena_begin(&arena);
    target = osp_target_read(&arena.memory, "HTTPS://[::1]:8443/a/b");
    assert_string_equal(target.scheme, "https");
    assert_string_equal(target.host, "[::1]");
    assert_int_equal(target.port, 8443);
    assert_string_equal(target.path, "/a/b");
    target = osp_target_read(&arena.memory, "http://h$1");
    assert_string_equal(target.host, "h");
    assert_string_equal(target.path, "$1");
    assert_string_equal(osp_target_read(&arena.memory, "nonsense").scheme, "");
    test_arena_end(&arena);
}

/* ---- facts --------------------------------------------------------------------------------- */

static void a_virtual_host_inherits_what_it_does_not_say(void **state)
{
    world w;
    osp_server *first, *second;

    (void)state;
    audit_text(&w,
               "OSProxyEngine On\nProxyPass /m http://m/m\nOSProxyModule Shared\n"
               "<VirtualHost *:443 [::1]:443 _default_>\nServerName https://One.example.com:8443\n"
               "ServerAlias two *.three\nSSLEngine on\nProxyPass /v http://v/v\nOSProxyModule Own\n"
               "</VirtualHost>\n<VirtualHost 10.0.0.1:80>\nOSProxyEngine Off\n</VirtualHost>\n",
               false);
    first = w.facts.main->next;
    second = first->next;
    assert_int_equal(first->address_count, 3);
    assert_string_equal(first->addresses[1].host, "[::1]");
    assert_int_equal(first->addresses[1].port, 443);
    assert_int_equal(first->addresses[2].port, 0);
    assert_string_equal(first->name, "One.example.com");
    assert_int_equal(first->name_count, 3);
    assert_int_equal(first->mapping_count, 2);
    assert_string_equal(first->mappings[0].path, "/m");
    assert_int_equal(first->module_count, 2);
    assert_true(first->is_tls && first->audited);
    assert_false(second->is_tls || second->audited);
    assert_ptr_equal(osp_server_named(&w.facts, "x.THREE", 443), first);
    assert_null(osp_server_named(&w.facts, "four", 443));
    done(&w);
}

static void a_prefix_ends_where_a_segment_does(void **state)
{
    world w;
    const osp_server *server;

    (void)state;
    audit_text(&w, "ProxyPass /App http://h/App\nProxyPass /Dir/ http://h/Dir/\n", false);
    server = w.facts.main;
    assert_non_null(osp_mapping_for(&w.facts, server, "/App"));
    assert_non_null(osp_mapping_for(&w.facts, server, "//App//x"));
    assert_null(osp_mapping_for(&w.facts, server, "/AppAdmin/x"));
    assert_null(osp_mapping_for(&w.facts, server, "/Dir"));
    assert_non_null(osp_mapping_for(&w.facts, server, "/Dir/x"));
    done(&w);
}

/* ---- rules --------------------------------------------------------------------------------- */

static void a_good_configuration_has_no_finding(void **state)
{
    world w;

    (void)state;
    audit_text(&w,
               QUIET "<VirtualHost *:443>\nServerName a.example.com\nSSLEngine on\n"
                     "OSProxyModule MyApp reactive\nProxyPreserveHost On\n"
                     "ProxyPass /MyApp http://10.0.0.1/MyApp ttl=60\n"
                     "RequestHeader set X-Forwarded-Proto https\n</VirtualHost>\n",
               false);
    assert_string_equal(w.audit.findings ? w.audit.findings->text : "", "");
    assert_int_equal(w.audit.vhosts, 1);
    done(&w);
}

static void each_mistake_is_found_with_its_fix(void **state)
{
#define MAP "ProxyPass / http://10.0.0.1/ ttl=60\n" BLOCKED
    (void)state;
    expect(MAP "ProxyPreserveHost Off", OSP_RULE_PRESERVE_HOST, OSP_NOTE, "ProxyPreserveHost On");
    expect(MAP "RequestHeader set Host x", OSP_RULE_PRESERVE_HOST, OSP_WARNING, "");
    expect("ProxyPass / http://10.0.0.1:8080/", OSP_RULE_DEFAULT_PORTS, OSP_WARNING,
           "ProxyPass / http://10.0.0.1/");
    expect(MAP "Header always unset WWW-Authenticate", OSP_RULE_NEGOTIATE, OSP_WARNING, "");
    expect("ProxyPass /a http://h/b\nOSProxyModule b reactive", OSP_RULE_PATH_UNCHANGED, OSP_ERROR,
           "ProxyPass \"/b\" \"http://h/b\" ttl=60");
    expect("ProxyPass /a/ http://h/a", OSP_RULE_PATH_UNCHANGED, OSP_ERROR,
           "ProxyPass /a/ http://h/a/");
    expect(MAP "AddOutputFilterByType SUBSTITUTE text/html", OSP_RULE_PATH_UNCHANGED, OSP_WARNING,
           "");
    expect(MAP "CacheEnable disk /", OSP_RULE_NO_CACHE, OSP_NOTE, "");
    expect(MAP "KeepAliveTimeout 5", OSP_RULE_KEEP_ALIVE, OSP_NOTE, "KeepAliveTimeout 30");
    expect(MAP "RequestHeader set X-Forwarded-Proto http", OSP_RULE_FORWARDED_PROTO, OSP_NOTE,
           "RequestHeader set X-Forwarded-Proto https");
    expect(MAP "SetEnv force-proxy-request-1.0 1", OSP_RULE_PINNED_AUTH, OSP_WARNING, "");
    expect(MAP "OSProxyInternal 10.0.0.0/8\nProtocols h2 http/1.1", OSP_RULE_PINNED_AUTH, OSP_NOTE,
           "Protocols http/1.1");
    expect("OSProxyModule B\nProxyPass /A http://h/A", OSP_RULE_REFERENCED_CONTENT, OSP_ERROR,
           "ProxyPass \"/B\" \"http://h/B\"");
    expect("ProxyPass /A http://h/A\nProxyPass /A/b http://i/A/b", OSP_RULE_REFERENCED_CONTENT,
           OSP_WARNING, "ProxyPass /A/b http://i/A/b");
    expect("ProxyPassMatch ^/App http://h", OSP_RULE_REFERENCED_CONTENT, OSP_WARNING,
           "ProxyPassMatch ^/App(?=/|$) http://h");
    expect("ProxyPass / https://h/", OSP_RULE_BACKEND_TLS, OSP_WARNING, NULL);
    expect("ProxyPass / http://h/ timeout=30", OSP_RULE_PROXY_TIMEOUT, OSP_WARNING,
           "ProxyPass / http://h/ timeout=120");
    expect("ProxyPass / http://h/ ttl=300", OSP_RULE_BACKEND_TTL, OSP_WARNING, NULL);
    expect("ProxyPass / http://h/", OSP_RULE_CONSOLES, OSP_WARNING, NULL);
    expect("ProxyPass / http://h/ stickysession=R", OSP_RULE_STICKINESS, OSP_WARNING, NULL);
    expect(MAP "RemoteIPHeader X-Forwarded-For", OSP_RULE_TRUSTED_PROXY, OSP_WARNING, NULL);
    expect(MAP "Header edit Set-Cookie ^(.*)$ $1;HttpOnly", OSP_RULE_HTTPONLY_COOKIES, OSP_ERROR,
           NULL);
    expect(MAP "Header always set Content-Security-Policy x", OSP_RULE_SECURITY_HEADERS,
           OSP_WARNING, "Header setifempty Content-Security-Policy x");
    expect(MAP "<Location />\nAllowMethods GET\n</Location>", OSP_RULE_METHODS, OSP_WARNING, NULL);
    expect(MAP "ProxyErrorOverride On", OSP_RULE_ERROR_OVERRIDE, OSP_ERROR,
           "ProxyErrorOverride Off");
    expect(MAP "ProxyVia On", OSP_RULE_VIA, OSP_NOTE, "ProxyVia Off");
#undef MAP
}

static void what_is_right_is_left_alone(void **state)
{
#define TRADITIONAL "OSProxyModule Old traditional\nProxyPass /apps/Old http://h/Old ttl=60\n"
    (void)state;
    expect_nothing(TRADITIONAL, OSP_RULE_PATH_UNCHANGED);
    expect_nothing(TRADITIONAL "SetOutputFilter SUBSTITUTE", OSP_RULE_PATH_UNCHANGED);
    expect_nothing("ProxyPassMatch ^/(A|B)/(.*)$ http://h/$1/$2", OSP_RULE_PATH_UNCHANGED);
    expect_nothing("ProxyPassMatch ^/App(/|$) http://h", OSP_RULE_REFERENCED_CONTENT);
    expect_nothing("RewriteRule ^/(.*)$ http://h/$1 [P]", OSP_RULE_PATH_UNCHANGED);
    expect_nothing("RewriteRule ^ http://h%{REQUEST_URI} [P]", OSP_RULE_PATH_UNCHANGED);
    expect_nothing("ProxyPass /a/b http://h/a/b\nProxyPass /a http://i/a",
                   OSP_RULE_REFERENCED_CONTENT);
    expect_nothing("ProxyPass /ServiceCenter !\nProxyPass /App http://h/App", OSP_RULE_CONSOLES);
    expect_nothing("ProxyPass / http://h/\nHeader edit Set-Cookie ^(?!nr2)(.*)$ $1;HttpOnly",
                   OSP_RULE_HTTPONLY_COOKIES);
    expect_nothing("ProxyPass / http://h/\nProxyErrorOverride On 404 502", OSP_RULE_ERROR_OVERRIDE);
    expect_nothing("ProxyPass / http://h/\n<Directory />\nAllowMethods GET\n</Directory>",
                   OSP_RULE_METHODS);
    expect_nothing("ProxyPass / http://h/ disablereuse=on", OSP_RULE_BACKEND_TTL);
    expect_nothing(
        "OSProxyModule A\nRedirect /A https://other.example.com/A\nProxyPass /B http://h/B",
        OSP_RULE_REFERENCED_CONTENT);
#undef TRADITIONAL
}

static void a_rule_that_is_off_is_silent_and_says_why(void **state)
{
    world w;

    (void)state;
    audit_text(&w,
               QUIET "<VirtualHost *:443>\nSSLEngine on\nOSProxyRule via off \"no sign-in\"\n"
                     "ProxyVia On\nProxyPass /A http://h/A ttl=60\n</VirtualHost>\n",
               false);
    assert_null(finding_of(&w, OSP_RULE_VIA));
    assert_int_equal(w.facts.main->next->verdicts[OSP_RULE_VIA].state, OSP_STATE_OFF);
    assert_string_equal(w.facts.main->next->verdicts[OSP_RULE_VIA].reason, "no sign-in");
    done(&w);
    expect_nothing("<Location /A>\nOSProxyRule path-unchanged off \"old\"\nProxyPass http://h/B\n"
                   "</Location>",
                   OSP_RULE_PATH_UNCHANGED);
}

static void where_a_rule_only_reports_a_note_becomes_a_warning(void **state)
{
    (void)state;
    expect("OSProxyEngine Report\nProxyPass /A http://h/A", OSP_RULE_PRESERVE_HOST, OSP_WARNING,
           "ProxyPreserveHost On");
    expect("OSProxyEngine Report\nProxyPass /A http://h/A", OSP_RULE_PATH_UNCHANGED, OSP_WARNING,
           NULL);
}

static void a_survey_needs_no_engine(void **state)
{
    world w;

    (void)state;
    audit_text(&w,
               "<VirtualHost *:80>\nServerName a\nProxyPass / http://h/\n</VirtualHost>\n"
               "<VirtualHost *:80>\nServerName files\n</VirtualHost>\n",
               true);
    assert_int_equal(w.audit.vhosts, 1);
    assert_non_null(finding_of(&w, OSP_RULE_KEEP_ALIVE));
    assert_non_null(finding_of(&w, OSP_RULE_PRESERVE_HOST));
    done(&w);
}

static void a_domain_needs_https_under_its_name(void **state)
{
    world w;

    (void)state;
    audit_text(&w,
               QUIET
               "<VirtualHost *:80>\nServerName a\nOSProxyDomain apps\nProxyPass /A http://h/A\n"
               "</VirtualHost>\n",
               false);
    assert_int_equal(finding_of(&w, OSP_RULE_DOMAIN_HTTPS)->severity, OSP_ERROR);
    done(&w);
    audit_text(&w,
               QUIET
               "<VirtualHost *:80>\nServerName apps\nProxyPass /A http://h/A\n</VirtualHost>\n"
               "<VirtualHost *:443>\nServerName apps\nSSLEngine on\nProxyPass /A http://h/A\n"
               "</VirtualHost>\n",
               false);
    assert_null(finding_of(&w, OSP_RULE_DOMAIN_HTTPS));
    done(&w);
    audit_text(
        &w,
        QUIET
        "<VirtualHost *:443>\nServerName x\nServerAlias *.example.com\nSSLEngine on\n"
        "ProxyPass /A http://h/A\n</VirtualHost>\n<VirtualHost *:443>\nServerName a.example.com\n"
        "SSLEngine on\nProxyPass /A http://h/A\n</VirtualHost>\n",
        false);
    assert_int_equal(finding_of(&w, OSP_RULE_DOMAIN_HTTPS)->severity, OSP_ERROR);
    assert_int_equal(finding_of(&w, OSP_RULE_DOMAIN_HTTPS)->line, 12);
    done(&w);
}

static void certificates_are_judged(void **state)
{
    static const char *names[] = {"*.example.com"};
    osp_certificate certificate = {.names = names,
                                   .name_count = 1,
                                   .days_left = 29,
                                   .expires = "2030-01-01",
                                   .chain_ends = "Some CA"};
    const char *text = QUIET "<VirtualHost *:443>\nServerName a.example.com\nSSLEngine on\n"
                             "SSLCertificateFile c.pem\nProxyPass /A http://h/A\n</VirtualHost>\n";
    osp_audit audit;
    world w;

    (void)state;
    audit_text(&w, text, false);
    certificate.line = w.facts.main->next->first[OSP_W_CERTIFICATE];
    w.facts.main->next->certificates = &certificate;
    osp_audit_run(&audit, &w.facts);
    assert_int_equal(audit.counts[OSP_ERROR], 0);
    assert_int_equal(audit.counts[OSP_WARNING], 2); /* soon, chain */
    names[0] = "*.com";
    certificate.days_left = -1;
    certificate.problem = OSP_CERTIFICATE_KEY_DIFFERS;
    osp_audit_run(&audit, &w.facts);
    assert_int_equal(audit.counts[OSP_ERROR], 3); /* name, expired, key */
    done(&w);
}

static void capacity_counts_idle_clients(void **state)
{
    world w;

    (void)state;
    test_arena_begin(&w.arena);
    w.facts = (osp_facts){.memory = &w.arena.memory,
                          .matches = posix_matches,
                          .mpm = "event",
                          .mpm_daemons = 6,
                          .mpm_threads = 25};
    test_config_read(&w.facts, QUIET "MaxRequestWorkers 150\n<VirtualHost *:443>\nSSLEngine on\n"
                                     "ProxyPass /A http://h/A\n</VirtualHost>\n");
    osp_audit_run(&w.audit, &w.facts);
    assert_non_null(strstr(finding_of(&w, OSP_RULE_CAPACITY)->text, "about 450 idle clients"));
    assert_string_equal(finding_of(&w, OSP_RULE_CAPACITY)->edits->text, "MaxRequestWorkers 400");
    w.facts.mpm = "prefork";
    w.facts.mpm_daemons = 150;
    w.facts.mpm_threads = 1;
    osp_audit_run(&w.audit, &w.facts);
    assert_non_null(strstr(finding_of(&w, OSP_RULE_CAPACITY)->text, "150 idle clients"));
    done(&w);
}

/* ---- renderings ---------------------------------------------------------------------------- */

static void text_wraps_at_80_columns(void **state)
{
    world w;
    osp_out out;
    const char *line;

    (void)state;
    audit_text(&w,
               QUIET "<VirtualHost *:8443>\nSSLEngine on\nProxyPass / https://h/\n"
                     "ProxyErrorOverride On\n</VirtualHost>\n",
               false);
    out = (osp_out){.memory = &w.arena.memory};
    osp_render_text(&out, &w.audit, false);
    for (line = out.text; *line; line += strcspn(line, "\n") + 1) {
        bool is_pasted = strncmp(line, "    fix:", 8) == 0 || strncmp(line, "         ", 9) == 0;

        assert_true(is_pasted || strcspn(line, "\n") <= OSP_COLUMNS);
    }
    assert_non_null(strstr(out.text, "test.conf:6: error: [default-ports] VirtualHost *:8443:"));
    assert_non_null(strstr(out.text, "\n    fix: <VirtualHost *:443>\n"));
    assert_null(strchr(out.text, '\033'));
    out.length = 0;
    osp_render_text(&out, &w.audit, true);
    assert_non_null(strstr(out.text, "\033[1;31merror:"));
    done(&w);
}

static void the_summary_counts(void **state)
{
    world w;
    osp_out out;

    (void)state;
    audit_text(&w,
               QUIET
               "<VirtualHost *:443>\nServerName a\nSSLEngine on\nProxyPass /A http://h/A ttl=60\n"
               "ProxyErrorOverride On\n</VirtualHost>\n",
               false);
    out = (osp_out){.memory = &w.arena.memory};
    osp_render_summary(&out, &w.audit);
    assert_string_equal(out.text, "osproxy: 1 virtual host: 1 error, 0 warnings, 5 enforced\n");
    done(&w);
}

static void json_escapes(void **state)
{
    world w;
    osp_out out;

    (void)state;
    audit_text(&w,
               QUIET "<VirtualHost *:443>\nServerName \"a\\\"\xff\x01\xc3\xa9\"\nSSLEngine on\n"
                     "ProxyPass / http://h/\n</VirtualHost>\n",
               false);
    out = (osp_out){.memory = &w.arena.memory};
    osp_render_json(&out, &w.audit, "1.0");
    assert_non_null(strstr(out.text, "{\"osproxy\":\"1.0\",\"schema\":1,"));
    assert_non_null(strstr(out.text, "\"name\":\"a\\\"\\ufffd\\u0001\xc3\xa9\""));
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_split_as_httpd_splits_them),
        cmocka_unit_test(globs_match_as_server_alias_does),
        cmocka_unit_test(times_have_units),
        cmocka_unit_test(a_map_keeps_what_came_first),
        cmocka_unit_test(a_changed_line_keeps_what_is_around),
        cmocka_unit_test(targets_are_read),
        cmocka_unit_test(a_virtual_host_inherits_what_it_does_not_say),
        cmocka_unit_test(a_prefix_ends_where_a_segment_does),
        cmocka_unit_test(a_good_configuration_has_no_finding),
        cmocka_unit_test(each_mistake_is_found_with_its_fix),
        cmocka_unit_test(what_is_right_is_left_alone),
        cmocka_unit_test(a_rule_that_is_off_is_silent_and_says_why),
        cmocka_unit_test(where_a_rule_only_reports_a_note_becomes_a_warning),
        cmocka_unit_test(a_survey_needs_no_engine),
        cmocka_unit_test(a_domain_needs_https_under_its_name),
        cmocka_unit_test(certificates_are_judged),
        cmocka_unit_test(capacity_counts_idle_clients),
        cmocka_unit_test(text_wraps_at_80_columns),
        cmocka_unit_test(the_summary_counts),
        cmocka_unit_test(json_escapes),
    };

    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
