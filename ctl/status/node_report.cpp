// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/node_report.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "ctl/model/object.hpp"
#include "ctl/model/text_at.hpp"
#include "userspace/base/version.hpp"

namespace penstock::status {

namespace {

using model::Value;
using nlohmann::json;

constexpr std::size_t kNameMax = 253;
constexpr std::array<std::pair<Failure::Kind, const char*>, 4> kReasons = {
    {{Failure::Kind::socket, "Socket"}, {Failure::Kind::address, "Address"}, {Failure::Kind::part, "Part"}, {Failure::Kind::map, "Map"}}};

const char* reason_of(Failure::Kind kind) {
    return std::find_if(kReasons.begin(), kReasons.end(), [&](const auto& one) { return one.first == kind; })->second;
}

// A newer version's is read as something of the object that was refused.
Failure::Kind kind_of(std::string_view reason) {
    const auto found = std::find_if(kReasons.begin(), kReasons.end(), [&](const auto& one) { return one.second == reason; });
    return found != kReasons.end() ? found->first : Failure::Kind::part;
}

std::string bounded_at(const Value& of, std::string_view name, std::size_t most = kNameMax) { return shortened(model::text_at(of, {name}), most); }

std::int64_t number_at(const Value& of, std::string_view name) {
    const Value* found = of.find(name);
    return found != nullptr && found->as_integer() != nullptr ? *found->as_integer() : 0;
}

json row_of(const std::string& object, const TakenObject& taken) {
    const std::size_t first = object.find('/');
    const std::size_t second = object.find('/', first + 1);
    json row = {{"kind", object.substr(0, first)}, {"namespace", object.substr(first + 1, second - first - 1)}, {"name", object.substr(second + 1)},
                {"uid", taken.uid}, {"generation", taken.generation}};
    for (const Refusal& refusal : taken.refusals) {
        json one = {{"reason", reason_of(refusal.kind)}, {"message", refusal.message}};
        if (!refusal.listener.empty()) {
            one["listener"] = refusal.listener;
        }
        row["refused"].push_back(std::move(one));
    }
    return row;
}

TakenObject read_row(const Value& row) {
    TakenObject taken{.uid = bounded_at(row, "uid"), .generation = number_at(row, "generation"), .refusals = {}};
    const Value* refused = row.find("refused");
    for (const Value& one : refused != nullptr ? refused->items() : Value::Array()) {
        if (taken.refusals.size() < NodeReport::kRefusalsMax) {
            taken.refusals.push_back({kind_of(bounded_at(one, "reason")), bounded_at(one, "listener"), bounded_at(one, "message", NodeReport::kMessageMax)});
        }
    }
    return taken;
}

template <class List>
json texts_of(const List& addresses) {
    json out = json::array();
    for (const IpAddress& address : addresses) {
        out.push_back(address.text());
    }
    return out;
}

std::set<IpAddress> read_addresses(const Value& list, std::size_t most) {
    std::set<IpAddress> out;
    for (const Value& one : list.items()) {
        const auto address = one.as_string() != nullptr ? IpAddress::parse(*one.as_string()) : std::nullopt;
        if (address && out.size() < most) {
            out.insert(*address);
        }
    }
    return out;
}

}  // namespace

std::string shortened(const std::string& text, std::size_t most) {
    if (text.size() <= most) {
        return text;
    }
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
        --end;
    }
    return text.substr(0, end);
}

std::uint64_t NodeReport::refused() const {
    return static_cast<std::uint64_t>(std::count_if(objects.begin(), objects.end(), [](const auto& one) { return !one.second.refusals.empty(); }));
}

NodeReport make_report(std::map<std::string, TakenObject> objects) {
    NodeReport report{.objects = std::move(objects), .omitted = 0};
    if (report.objects.size() > NodeReport::kObjectsMax) {
        report.omitted = report.objects.size() - NodeReport::kObjectsMax;
        report.objects.erase(std::next(report.objects.begin(), NodeReport::kObjectsMax), report.objects.end());
    }
    std::size_t refusals = 0;
    for (const auto& [object, taken] : report.objects) {
        refusals += std::min(taken.refusals.size(), NodeReport::kRefusalsMax);
    }
    // That something of an object was refused is never left out.
    const std::size_t of_each = refusals > NodeReport::kObjectsMax ? 1 : NodeReport::kRefusalsMax;
    for (auto& [object, taken] : report.objects) {
        std::sort(taken.refusals.begin(), taken.refusals.end());
        taken.refusals.resize(std::min(taken.refusals.size(), of_each));
        for (Refusal& refusal : taken.refusals) {
            refusal.message = shortened(refusal.message, NodeReport::kMessageMax);
        }
    }
    return report;
}

void set_addresses(NodeReport& report, const std::set<IpAddress>& here, const std::vector<IpAddress>& own) {
    report.here = here.size() <= NodeReport::kAddressesMax ? std::optional(here) : std::nullopt;
    report.own = std::set<IpAddress>(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(std::min(own.size(), NodeReport::kOwnMax)));
}

std::string node_reports_path() { return std::string("/apis/") + kNodeReportVersion + "/penstocknodes"; }

json node_object(const std::string& node, const std::string& owner_uid, const NodeReport& report) {
    json rows = json::array();
    for (const auto& [object, taken] : report.objects) {
        rows.push_back(row_of(object, taken));
    }
    const std::uint64_t refused = report.refused();
    json out = {{"apiVersion", kNodeReportVersion},
                {"kind", kNodeReportKind},
                {"metadata", {{"name", node}, {"labels", {{"app.kubernetes.io/managed-by", "penstock"}}}}},
                {"status", {{"version", kVersion}, {"taken", report.objects.size() - refused}, {"refused", refused}, {"omitted", report.omitted}, {"objects", std::move(rows)}}}};
    if (report.here) {
        out["status"]["addresses"] = texts_of(*report.here);
    }
    if (!report.own.empty()) {
        out["status"]["nodeAddresses"] = texts_of(report.own);
    }
    if (!owner_uid.empty()) {
        out["metadata"]["ownerReferences"] = json::array({{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node}, {"uid", owner_uid}}});
    }
    return out;
}

NodeReport read_report(const Value& object) {
    NodeReport report;
    const Value* status = object.find("status");
    const Value* rows = status != nullptr ? status->find("objects") : nullptr;
    for (const Value& row : rows != nullptr ? rows->items() : Value::Array()) {
        if (report.objects.size() == NodeReport::kObjectsMax) {
            break;
        }
        report.objects.emplace(bounded_at(row, "kind") + "/" + bounded_at(row, "namespace") + "/" + bounded_at(row, "name"), read_row(row));
    }
    if (const Value* here = status != nullptr ? status->find("addresses") : nullptr; here != nullptr && here->items().size() <= NodeReport::kAddressesMax) {
        report.here = read_addresses(*here, NodeReport::kAddressesMax);
    }
    if (const Value* own = status != nullptr ? status->find("nodeAddresses") : nullptr) {
        report.own = read_addresses(*own, NodeReport::kOwnMax);
    }
    report.omitted = status != nullptr ? static_cast<std::uint64_t>(std::max<std::int64_t>(0, number_at(*status, "omitted"))) : 0;
    return report;
}

}  // namespace penstock::status
