// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/dangling.hpp"

#include <utility>

#include "ctl/model/references.hpp"

namespace penstock::compile {
namespace {

using model::Kind;
using model::Role;

// What it means that the target of a reference is not there; null for those that conditions tell of, and for others' kinds.
const char* meaning_of(Kind from, Role role, Kind to) {
    if (role == Role::gateway_class) {
        return "nobody serves this Gateway";
    }
    if (role != Role::parent || (to != Kind::gateway && to != Kind::listener_set)) {
        return nullptr;
    }
    return from == Kind::listener_set ? "its listeners belong to nobody" : "the route is attached to nothing there";
}

}  // namespace

std::vector<model::Diagnostic> dangling(const model::Object& object, const model::Store& store) {
    std::vector<model::Diagnostic> found;
    for (model::Reference& reference : model::owners_of(object)) {
        const auto kind = model::kind_of(reference);
        const char* meaning = kind ? meaning_of(object.key.kind, reference.role, *kind) : nullptr;
        const model::ObjectKey key{kind.value_or(Kind{}), reference.ns, reference.name};
        if (meaning != nullptr && store.get(key) == nullptr) {
            found.push_back(model::diagnostic_of(model::Severity::warning, object, std::move(reference.path), "there is no " + key.text() + ": " + meaning));
        }
    }
    return found;
}

}  // namespace penstock::compile
