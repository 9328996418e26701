// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/object_rows.hpp"

#include <algorithm>

#include "ctl/gwctl/answer.hpp"
#include "userspace/base/ascii.hpp"

namespace penstock::gwctl {

using nlohmann::json;

std::vector<std::string> ObjectRows::heading(const std::string& name) const {
    std::vector<std::string> out;
    if (with_namespace_) {
        out.emplace_back("NAMESPACE");
    }
    out.push_back(name);
    std::transform(columns_.begin(), columns_.end(), std::back_inserter(out), [](const Column& column) { return column.heading; });
    out.emplace_back("AGE");
    return out;
}

std::vector<std::string> ObjectRows::row(const json& object) const {
    std::vector<std::string> out;
    if (with_namespace_) {
        out.push_back(text_at(object, {"metadata", "namespace"}));
    }
    out.push_back(text_at(object, {"metadata", "name"}));
    std::transform(columns_.begin(), columns_.end(), std::back_inserter(out), [&](const Column& column) { return column.value(object); });
    out.push_back(age_of(text_at(object, {"metadata", "creationTimestamp"})));
    return out;
}

std::string full_name(const json& object) {
    const std::string version = text_at(object, {"apiVersion"});
    const std::size_t slash = version.find('/');
    return lower(text_at(object, {"kind"})) + (slash == std::string::npos ? "" : "." + version.substr(0, slash)) + "/" + text_at(object, {"metadata", "name"});
}

}  // namespace penstock::gwctl
