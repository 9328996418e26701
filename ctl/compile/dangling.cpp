// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/dangling.hpp"

#include <optional>
#include <string>
#include <type_traits>
#include <variant>

#include "ctl/model/objects_gateway.hpp"
#include "ctl/model/objects_route.hpp"

namespace penstock::compile {
namespace {

class Finder {
public:
    Finder(const model::Object& object, const model::Store& store) : object_(object), store_(store) {}

    void need(model::Kind kind, const std::string& ns, const std::string& name, std::string path, const char* meaning) {
        const model::ObjectKey key{kind, ns, name};
        if (store_.get(key) != nullptr) {
            return;
        }
        model::Diagnostic warning;
        warning.severity = model::Severity::warning;
        warning.file = object_.origin.file;
        warning.line = object_.origin.line;
        warning.kind = model::kind_name(object_.key.kind);
        warning.ns = object_.key.ns;
        warning.name = object_.key.name;
        warning.path = std::move(path);
        warning.message = "there is no " + key.text() + ": " + meaning;
        found.push_back(std::move(warning));
    }
    void need_parent(const std::string& group, const std::string& kind, const std::optional<std::string>& ns, const std::string& name, std::string path,
                     const char* meaning) {
        if (group == model::kGatewayGroup && (kind == "Gateway" || kind == "ListenerSet")) {
            need(kind == "Gateway" ? model::Kind::gateway : model::Kind::listener_set, ns.value_or(object_.key.ns), name, std::move(path), meaning);
        }
    }

    void operator()(const model::Gateway& gateway) {
        need(model::Kind::gateway_class, "", gateway.gateway_class_name, "spec.gatewayClassName", "nobody serves this Gateway");
    }
    template <class Spec>
    void operator()(const Spec& spec) {
        if constexpr (std::is_base_of_v<model::RouteParents, Spec>) {
            for (std::size_t i = 0; i < spec.parent_refs.size(); ++i) {
                const model::ParentRef& ref = spec.parent_refs[i];
                need_parent(ref.group.value_or(model::kGatewayGroup), ref.kind.value_or("Gateway"), ref.ns, ref.name, "spec.parentRefs[" + std::to_string(i) + "]", "the route is attached to nothing there");
            }
        } else if constexpr (std::is_same_v<model::ListenerSet, Spec>) {
            const model::ParentGatewayRef& ref = spec.parent_ref;
            need_parent(ref.group, ref.kind, ref.ns, ref.name, "spec.parentRef", "its listeners belong to nobody");
        }
    }

    std::vector<model::Diagnostic> found;

private:
    const model::Object& object_;
    const model::Store& store_;
};

}  // namespace

std::vector<model::Diagnostic> dangling(const model::Object& object, const model::Store& store) {
    Finder finder(object, store);
    std::visit(finder, object.body);
    return std::move(finder.found);
}

}  // namespace penstock::compile
