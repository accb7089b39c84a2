/* Raw paths and what they are to httpd and to IIS, pairs of them that are the same or not, and the
 * module that a path names. */
#ifndef OSP_TEST_VECTORS_PATHS_H
#define OSP_TEST_VECTORS_PATHS_H

#include "parse/path.h"

typedef struct dots_vector {
    const char *path;
    enum osp_path_dots dots;
} dots_vector;

static const dots_vector dots_vectors[] = {
    /* Ordinary paths, whatever dots they have */
    {"", OSP_PATH_DOTS_NONE},
    {"/", OSP_PATH_DOTS_NONE},
    {"*", OSP_PATH_DOTS_NONE},
    {"/MyApp/scripts/OutSystems.js", OSP_PATH_DOTS_NONE},
    {"/MyApp/scripts/MyApp.Main.Home.mvc.js", OSP_PATH_DOTS_NONE},
    {"/MyApp/.well-known/x", OSP_PATH_DOTS_NONE},
    {"/MyApp/..hidden", OSP_PATH_DOTS_NONE},
    {"/MyApp/hidden../x", OSP_PATH_DOTS_NONE},
    {"/MyApp/a..b/c.", OSP_PATH_DOTS_NONE},
    {"/MyApp/.../x", OSP_PATH_DOTS_NONE},
    {"/MyApp/....", OSP_PATH_DOTS_NONE},
    {"/MyApp/x;../y", OSP_PATH_DOTS_NONE},
    {"/My%20App/a%2fb/c%5cd/e\\f", OSP_PATH_DOTS_NONE},
    {"/MyApp/%2e%2e%2e/x", OSP_PATH_DOTS_NONE},
    {"/MyApp/%2ehidden/x%2e%2e/y", OSP_PATH_DOTS_NONE},
    {"/MyApp/%u0041/%u002ex", OSP_PATH_DOTS_NONE},
    {"/MyApp%2f...%2fx\\a.\\.b", OSP_PATH_DOTS_NONE},

    /* One level of decoding, and only of what is an escape */
    {"/MyApp/%252e%252e/x", OSP_PATH_DOTS_NONE},
    {"/MyApp/%25%32%65/x", OSP_PATH_DOTS_NONE},
    {"/MyApp/..%252fx", OSP_PATH_DOTS_NONE},
    {"/MyApp/%2/%2g/%/%%2e", OSP_PATH_DOTS_NONE},
    {"/MyApp/.%2", OSP_PATH_DOTS_NONE},
    {"/MyApp/.%", OSP_PATH_DOTS_NONE},
    {"/MyApp/%u002/%u00zz/%u", OSP_PATH_DOTS_NONE},
    {"/MyApp/..%3bx", OSP_PATH_DOTS_NONE},

    /* Those that httpd resolves */
    {".", OSP_PATH_DOTS_PLAIN},
    {"..", OSP_PATH_DOTS_PLAIN},
    {"/.", OSP_PATH_DOTS_PLAIN},
    {"/..", OSP_PATH_DOTS_PLAIN},
    {"../x", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/./x", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/../x", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/x/..", OSP_PATH_DOTS_PLAIN},
    {"/MyApp//..//x", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/.x/a.b/../c", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/%2e/x", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/%2E%2e/x", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/.%2e", OSP_PATH_DOTS_PLAIN},
    {"%2e.", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/../a%20b", OSP_PATH_DOTS_PLAIN},
    {"/a%2fb/../c", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/..;x=1/y", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/.;", OSP_PATH_DOTS_PLAIN},
    {"/MyApp/%2e%2e;x=%20.y/z", OSP_PATH_DOTS_PLAIN},

    /* Those that only IIS resolves */
    {"/MyApp/..%2fx", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/x%2F..", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp%2f../x", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/..%5cx", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp%5C..", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/..\\x", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp\\../x", OSP_PATH_DOTS_HIDDEN},
    {"\\..", OSP_PATH_DOTS_HIDDEN},
    {"..\\", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp%2f%2e%2e%2fx", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/%2e\\x", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/x%2f.%5cy", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/..;x%2fy", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp%2f..;x/y", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/../x/..%2fy", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/..%2fx/../y", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/%u002e%u002e/x", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/.%U002E", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp/..%u002fx", OSP_PATH_DOTS_HIDDEN},
    {"/MyApp%u005c../x", OSP_PATH_DOTS_HIDDEN},
};

typedef struct same_vector {
    const char *a, *b;
    bool same;
} same_vector;

static const same_vector same_vectors[] = {
    {"", "", true},
    {"/", "/", true},
    {"/MyApp/Home", "/MyApp/Home", true},
    {"/My%20App", "/My App", true},
    {"/%7Ejoe", "/~joe", true},
    {"/%7ejoe", "/%7Ejoe", true},
    {"/a//b", "/a/b", true},
    {"///a", "/a", true},
    {"/a/", "/a///", true},
    {"/a%2Fb", "/a/b", true},
    {"/a%2f/%2Fb", "/a/b", true},
    {"/a%5cb", "/a\\b", true},
    {"/a%5cb", "/a/b", true},
    {"/a\\\\b", "/a\\b", true},
    {"/\\a", "/a", true},
    {"/a%3bb", "/a;b", true},
    {"/a%25b", "/a%b", true},
    {"/a%", "/a%25", true},
    {"/a%2", "/a%252", true},
    {"/a%zz", "/a%25zz", true},
    {"/%2541", "/%2541", true},
    {"/%C3%A4", "/\xc3\xa4", true},
    {"/./a", "/%2e/a", true},

    {"", "/", false},
    {"/a", "/a/", false},
    {"/a", "/A", false},
    {"/a", "/ab", false},
    {"/a", "a", false},
    {"/%2541", "/A", false},
    {"/%2541", "/%41", false},
    {"/./a", "/a", false},
    {"/a%00", "/a", false},
    {"/a%00b", "/a%00c", false},
    {"/a%u002fb", "/a/b", false},
};

typedef struct module_vector {
    const char *path, *module;
} module_vector;

static const module_vector module_vectors[] = {
    {"", ""},
    {"/", ""},
    {"///", ""},
    {"/MyApp", "MyApp"},
    {"/MyApp/", "MyApp"},
    {"/MyApp/Home", "MyApp"},
    {"//MyApp//Home", "MyApp"},
    {"MyApp/Home", "MyApp"},
    {"/MyApp?x=/y", "MyApp"},
    {"/MyApp;v=1/Home", "MyApp"},
    {"/?x", ""},
    {"/;x/MyApp", ""},
    {"/My%20App/Home", "My%20App"},
    {"/%4DyApp/Home", "%4DyApp"},
    {"/My%/Home", "My%"},
    {"/%2fMyApp%2fHome", "MyApp"},
    {"\\MyApp\\Home", "MyApp"},
    {"/%5cMyApp%5CHome", "MyApp"},
    {"/%u002fMyApp%u005cHome", "MyApp"},
    {"/My%252fApp", "My%252fApp"},
};

#endif
