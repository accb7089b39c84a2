/*
 * render.h: an audit as people, terminals and programs read it.
 */
#ifndef OSP_RENDER_H
#define OSP_RENDER_H

#include "finding.h"

#define OSP_COLUMNS 80

/* A finding as compilers write it, its fix below, wrapped at 80 columns; lines that can be pasted
 * are never wrapped. */
void osp_render_finding(osp_out *out, const osp_audit *audit, const osp_finding *finding,
                        bool coloured);

/* "osproxy: 2 virtual hosts: 1 error, 0 warnings, 6 enforced" */
void osp_render_summary(osp_out *out, const osp_audit *audit);

/* All findings and the summary; nothing when no virtual host is audited. */
void osp_render_text(osp_out *out, const osp_audit *audit, bool coloured);

/* Virtual hosts, each with its rules: met, enforced, violated, off with the reason, and where. */
void osp_render_table(osp_out *out, const osp_audit *audit, bool coloured);

/* The same and the findings as JSON: docs/audit.md has the schema. */
void osp_render_json(osp_out *out, const osp_audit *audit, const char *version);

#endif
