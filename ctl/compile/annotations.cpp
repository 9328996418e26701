// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/annotations.hpp"

#include <algorithm>

namespace penstock::compile {
namespace {

// Written by ourselves, for readers.
constexpr std::string_view kSource = "source";

std::string full_name(std::string_view name) { return std::string(kAnnotationPrefix) + std::string(name); }

// One annotation by the tables, from the first on; a settings object of a derived kind fits the tables of its bases.
template <class Settings, class Table>
bool read_one(const Table& table, std::string_view name, const std::string& value, Settings& out, AnnotationFaults& faults) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.name == name; });
    if (found == table.end()) {
        return false;
    }
    if (std::string fault = found->read(value, out); !fault.empty()) {
        faults.bad_values.push_back(full_name(name) + ": " + fault);
    }
    return true;
}

template <class Settings, class... Tables>
AnnotationFaults read(const model::Labels& annotations, Settings& out, const Tables&... tables) {
    AnnotationFaults faults;
    for (const auto& [key, value] : annotations) {
        const std::string_view name = std::string_view(key).substr(std::min(kAnnotationPrefix.size(), key.size()));
        if (!key.starts_with(kAnnotationPrefix) || name == kSource) {
            continue;
        }
        if (!(read_one(tables, name, value, out, faults) || ...)) {
            faults.unknown.push_back(full_name(name));
        }
    }
    return faults;
}

}  // namespace

std::string AnnotationFaults::text() const {
    std::string out;
    for (const std::string& fault : bad_values) {
        out += (out.empty() ? "" : "; ") + fault;
    }
    for (const std::string& name : unknown) {
        out += (out.empty() ? "" : "; ") + name + " is not known here";
    }
    return out;
}

std::vector<std::string> edge_names(const model::Labels& annotations) {
    std::vector<std::string> out;
    for (const auto& entry : class_annotations()) {
        if (annotations.contains(full_name(entry.name))) {
            out.push_back(full_name(entry.name));
        }
    }
    return out;
}

std::optional<Condition> AnnotationFaults::condition() const {
    if (empty()) {
        return std::nullopt;
    }
    const bool bad = !bad_values.empty();
    return Condition{bad ? ConditionReason::InvalidAnnotation_invalid_value : ConditionReason::InvalidAnnotation_unknown_name, text()};
}

AnnotationFaults read_gateway(const model::Labels& annotations, EdgeSettings& out) { return read(annotations, out, gateway_annotations()); }

AnnotationFaults read_class(const model::Labels& annotations, ClassSettings& out) {
    return read(annotations, out, gateway_annotations(), class_annotations());
}

AnnotationFaults read_service(const model::Labels& annotations, ServiceSettings& out) {
    AnnotationFaults faults = read(annotations, out, service_annotations());
    if (!out.hash_header.empty() && out.balance != fb::Balance::Consistent) {
        faults.bad_values.push_back(full_name("balance-header") + ": has no effect without " + full_name("balance") + ": consistent");
        out.hash_header.clear();
    }
    return faults;
}

AnnotationFaults read_tls_options(const model::Labels& options, TlsSettings& out) {
    AnnotationFaults faults = read(options, out, tls_options());
    if (out.tls.version_min > out.tls.version_max) {
        faults.bad_values.push_back(full_name("tls-min-version") + ": is above " + full_name("tls-max-version"));
    }
    return faults;
}

AnnotationFaults read_none(const model::Labels& annotations) {
    EdgeSettings none;
    return read(annotations, none);
}

}  // namespace penstock::compile
