// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/object_view.hpp"

#include "ctl/gwctl/answer.hpp"
#include "ctl/model/object.hpp"

namespace penstock::gwctl {

using nlohmann::json;

std::string or_else(std::string text, const char* absent) { return text.empty() ? absent : text; }

std::string joined(const json& list, const char* member) {
    std::string out;
    for (const json& item : list) {
        const json& value = member != nullptr ? at(item, {member}) : item;
        if (value.is_string()) {
            out += (out.empty() ? "" : ",") + printable(value.get<std::string>());
        }
    }
    return out.empty() ? "-" : out;
}

std::string name_of(const json& object) {
    const std::string ns = text_at(object, {"metadata", "namespace"});
    return (ns.empty() ? "" : ns + "/") + text_at(object, {"metadata", "name"});
}

std::string title_of(const json& object) { return text_at(object, {"kind"}) + " " + name_of(object); }

void each_condition(const json& status, const VisitCondition& visit) {
    auto visit_list = [&](const std::string& where, const json& list) {
        for (const json& condition : list) {
            visit(where, condition);
        }
    };
    visit_list("", list_at(status, {"conditions"}));
    for (const json& listener : list_at(status, {"listeners"})) {
        visit_list("listener " + text_at(listener, {"name"}), list_at(listener, {"conditions"}));
    }
    for (const char* member : {"parents", "ancestors"}) {
        for (const json& parent : list_at(status, {member})) {
            const json& ref = at(parent, {member == std::string("parents") ? "parentRef" : "ancestorRef"});
            const std::string section = text_at(ref, {"sectionName"});
            visit_list("parent " + text_at(ref, {"name"}) + (section.empty() ? "" : "/" + section), list_at(parent, {"conditions"}));
        }
    }
}

json shown(const json& object) {
    json out = object;
    if (const auto metadata = out.find("metadata"); metadata != out.end() && metadata->is_object()) {
        metadata->erase("managedFields");
    }
    if (text_at(object, {"kind"}) != "Secret") {
        return out;
    }
    for (const char* member : {"data", "stringData"}) {
        for (const auto& [name, value] : at(object, {member}).items()) {
            out[member][name] = model::kRedacted;
        }
    }
    if (out["metadata"].is_object() && out["metadata"].contains("annotations") && out["metadata"]["annotations"].is_object()) {
        out["metadata"]["annotations"].erase("kubectl.kubernetes.io/last-applied-configuration");  // it has the data, too
    }
    return out;
}

}  // namespace penstock::gwctl
