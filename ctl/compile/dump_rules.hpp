// SPDX-License-Identifier: Apache-2.0
// One rule and one match of the snapshot as text.
#pragma once

#include <string>

#include "schema/snapshot_generated.h"

namespace penstock::compile {

// "HTTPRoute shop/cart#1 redirect(301 scheme=https) shop/cart/80/http1*1"
[[nodiscard]] std::string rule_text(const snapshot::Rule& rule);
// "redirect(301 scheme=https)"; "" for none, or null.
[[nodiscard]] std::string filters_text(const snapshot::Filters* filters);
// "prefix /cart GET @x-version=two ?page=1"
[[nodiscard]] std::string match_text(const snapshot::Match& match);

}  // namespace penstock::compile
