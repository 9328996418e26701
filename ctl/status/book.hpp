// SPDX-License-Identifier: Apache-2.0
// The statuses that we publish: what compile says of each object, corrected by what the data path really took. An object's new status
// appears when the generation that carries it is taken (Programmed means programmed); before that the old one stands, and an
// object without one is shown as Pending. What the data path refuses becomes a condition of the object that owns it.
// Pure but for its memory: the clock and the facts are parameters. It writes nowhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/piece_map.hpp"
#include "userspace/base/result.hpp"

namespace penstock::status {

// Something of an object that could not be put into the data path.
struct Failure {
    enum class Kind : std::uint8_t {
        socket,   // a listening address is not to be had
        address,  // an address could not be put on an interface
        part,     // the worker refused a piece of the snapshot
        map       // the packet core's tables did not take it
    };
    Kind kind = Kind::part;
    std::string object;    // "Gateway/default/edge"
    std::string listener;  // its name in the object; empty: the whole object
    std::string message;   // one sentence, no secrets

    auto operator<=>(const Failure&) const = default;
};

// One object's status as compile has it.
struct Wanted {
    std::string object;           // "Gateway/default/edge"
    std::int64_t generation = 0;  // metadata.generation
    // Gives the Kubernetes form without lastTransitionTime, the same each time: thousands of them are not kept.
    std::function<nlohmann::json()> status;
};

// How far the data path is with the configuration that the wanted statuses belong to.
enum class Phase : std::uint8_t {
    waiting,  // on its way: an object keeps its old status, a new one is Pending
    stuck,    // it does not come: statuses are told, Programmed is Pending
    taken
};

class Book {
public:
    // Statuses that are new or others now, and objects to forget.
    void want(std::vector<Wanted> changed, const std::vector<std::string>& gone = {});
    // Brings what is published up to date. True if anything changed.
    bool update(Phase phase, const std::vector<Failure>& failures, std::int64_t now_s);

    // By object, each status as JSON in little space. A reader on another thread may hold a copy of the map, which shares what does not change.
    using Published = PieceMap<std::string, std::shared_ptr<const std::string>>;
    [[nodiscard]] const Published& published() const { return published_; }
    // How many of its conditions say that something is wrong.
    [[nodiscard]] std::size_t not_good() const;

    // What an earlier daemon published, as text: its times are kept where the status is the same.
    [[nodiscard]] static std::string encode(const Published& published);
    Status restore(std::string_view text);

private:
    bool forget(const std::string& object);
    void put(const std::string& object, const nlohmann::json& status);
    bool publish(const Wanted& wanted, Phase phase, const std::vector<Failure>& failures, const std::string& now);

    std::map<std::string, Wanted> wanted_;
    Published published_;
    std::map<std::string, std::size_t> not_good_;  // conditions of the published, by object; none is 0
    // Objects whose published status is not yet the wanted one, whole. The others have nothing to do while nothing of them fails.
    std::set<std::string> open_;
    bool restored_ = false;  // published_ may hold objects that nobody wants
};

// `status` with what the data path says: see Book. Exposed for tests.
nlohmann::json corrected(const Wanted& wanted, Phase phase, const std::vector<Failure>& failures);

}  // namespace penstock::status
