// SPDX-License-Identifier: Apache-2.0
// A Lease (coordination.k8s.io/v1) as a value, and the requests that write one. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "ctl/kubeapi/client.hpp"
#include "ctl/model/value.hpp"

namespace penstock::kubeapi {

struct Lease {
    std::string name;
    std::string version;   // of the server; "": it is not there yet
    std::string holder;    // "": nobody
    std::string acquired;  // as the server has it
    std::int64_t transitions = 0;
    std::map<std::string, std::string> labels;
    std::map<std::string, std::string> annotations;
};

// What is not there, or is not of its type, is left empty.
[[nodiscard]] Lease read_lease(const model::Value& object);

struct LeaseTerms {
    milliseconds duration;  // told to readers
    milliseconds patience;  // for an answer
};

[[nodiscard]] std::string leases_path(const std::string& ns);
[[nodiscard]] std::string lease_path(const std::string& ns, const std::string& name);

// Makes `holder` the holder of `lease` as it was seen: creates it, or writes over that version and no other. `unix_us` is for people.
[[nodiscard]] Request hold_lease(const std::string& ns, const Lease& lease, const std::string& holder, LeaseTerms terms, std::int64_t unix_us);
// Of that version and no other.
[[nodiscard]] Request delete_lease(const std::string& ns, const std::string& name, const std::string& version, LeaseTerms terms);

}  // namespace penstock::kubeapi
