// SPDX-License-Identifier: Apache-2.0
// The objects of manifests as an API server takes them: of any kind, as they are written.
#pragma once

#include <string>
#include <vector>

#include "ctl/model/value.hpp"
#include "userspace/base/result.hpp"

namespace penstock::gwctl {

struct Written {
    model::Value object;
    std::string origin;  // "gateway.yaml:14"
    std::string api_version;
    std::string kind;
    std::string ns;      // "" if it names none
    std::string name;
};

// Fails if it names another namespace than `ns`, what -n says; "": nothing was said.
Status check_namespace(const Written& written, const std::string& ns);

// Of files, folders and "-"; a List stands for its items. Fails at the first text that is no object: an order half understood is not
// carried out.
Result<std::vector<Written>> read_objects(const std::vector<std::string>& paths);

}  // namespace penstock::gwctl
