/*
 * The manifest of a Reactive or Mobile module, what `/<Module>/moduleservices/moduleinfo` answers,
 * for the rule referenced-content (which modules it needs) and for the integrity of its resources
 * (which hash each one must have). Also the token of moduleversioninfo, which tells servers apart
 * that have different versions.
 *
 * Bytes in front of the first `{` are skipped: a byte order mark occurs there. Of a name that
 * occurs twice the last one counts, as in JavaScript.
 */
#ifndef OSP_MANIFEST_H
#define OSP_MANIFEST_H

#include "span.h"

enum {
    OSP_MANIFEST_BYTES = 4 * 1024 * 1024, /* a longer body is not read */
    OSP_MANIFEST_VALUES = 200 * 1000,     /* nor one with more names and values than this */
    OSP_MANIFEST_OBJECTS = 20 * 1000,     /* nor one with more objects and lists */
    OSP_MANIFEST_RESOURCES = 20 * 1000,   /* those after are left out */
    OSP_MANIFEST_MODULES = 2 * 1000,      /* those after are left out */
    OSP_MANIFEST_PATH = 2048,             /* a longer path is malformed */
    OSP_VERSION_TOKEN = 64                /* with its terminator; a longer token is none */
};

/* Either may be NULL. Spans live until the call returns. */
typedef struct osp_manifest_sink {
    /* an absolute path without query (`/MyApp/scripts/OutSystems.js`, no blanks or control
     * characters) and its hash without `?` */
    void (*resource)(void *baton, osp_span path, osp_span hash);
    /* the name of a module that this one refers to, itself included; a name may come twice */
    void (*module)(void *baton, osp_span name);
    void *baton;
} osp_manifest_sink;

typedef struct osp_manifest {
    char token[OSP_VERSION_TOKEN]; /* "" when there is none */
    unsigned resources, modules;   /* handed to the sink, or they would have been */
    unsigned malformed;            /* entries of either kind that were skipped */
    bool is_mobile;                /* a resource is cordova.js */
    bool cut;                      /* there was more than the limits above allow */
} osp_manifest;

/* Reads the answer of moduleinfo. False when it is no JSON with an object `manifest`, or beyond a
 * limit (cut tells): the sink was not called then. */
bool osp_manifest_read(osp_span body, const osp_manifest_sink *sink, osp_manifest *out);

/* Reads `{"versionToken":"…"}`, the answer of moduleversioninfo, up to 64 KB of it. False (and "")
 * when there is no such token of visible ASCII. */
bool osp_version_token_read(osp_span body, char token[OSP_VERSION_TOKEN]);

#endif
