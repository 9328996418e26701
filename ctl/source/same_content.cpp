// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/same_content.hpp"

#include "ctl/model/store.hpp"

namespace penstock::source {

bool same_content(const model::Object& a, const model::Object& b) {
    const auto* left = model::body_of<model::Secret>(a);
    const auto* right = model::body_of<model::Secret>(b);
    const bool secrets = left == nullptr || right == nullptr || (left->type == right->type && left->data == right->data);
    return secrets && a.meta == b.meta && a.raw == b.raw;
}

}  // namespace penstock::source
