/*
 * How many attributes the elements of an HTML page have, for the parser of links.h: libxml2
 * compares each attribute with all before it in its element, so that a hostile page of 512 kB with
 * one element would take minutes.
 */
#ifndef OSP_ATTRIBUTES_H
#define OSP_ATTRIBUTES_H

#include "span.h"

/*
 * The length of the page up to the first element that may have more than `most` attributes, or all
 * of it. Anything that could begin an element counts, in scripts and comments too: what is
 * returned can be too short, never too long. Time is linear in page.n.
 */
size_t osp_attributes_bounded(osp_span page, unsigned most);

#endif
