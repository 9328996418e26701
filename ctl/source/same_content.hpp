// SPDX-License-Identifier: Apache-2.0
// Whether two objects say the same, so that the first may stand for both. Where they come from does not count.
#pragma once

#include "ctl/model/object.hpp"

namespace penstock::source {

// Secrets are compared by what they hold: their printable form hides it.
[[nodiscard]] bool same_content(const model::Object& a, const model::Object& b);

}  // namespace penstock::source
