// SPDX-License-Identifier: Apache-2.0
// How one collection of the API is followed, as a state machine without I/O: list page by page, then watch from where the list was, go on
// from the last version seen after an end or a lost connection, and list anew when the server has forgotten that version (410), cannot go
// on from it, or said what makes no sense. Kubernetes API concepts, "Efficient detection of changes".
// Invariants: what `Batch`es say, one after the other, is the collection as the server had it; a failure says nothing. Whatever a server
// answers, it is not asked in a tight loop, and what it told wrong or not at all is made up for by a list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/kubeapi/client.hpp"
#include "ctl/kubeapi/pace.hpp"
#include "ctl/kubeapi/page_guard.hpp"
#include "ctl/model/value.hpp"

namespace penstock::kubeapi {

// What changed, in order of the server's versions.
struct Batch {
    struct Change {
        model::Value object;
        bool gone = false;  // the object as it was at the end
    };
    bool all = false;  // these are the whole collection: what is not among them is gone
    std::string since;  // of such: up to this version watches had told everything, or should have; "" if there were none
    std::vector<Change> changes;

    [[nodiscard]] bool empty() const { return !all && changes.empty(); }
};

class Reflection {
public:
    struct Next {
        enum class What : std::uint8_t { list, watch };
        What what = What::list;
        std::string query;        // "limit=500&continue=..."
        milliseconds delay{0};    // before it is sent
        milliseconds asked{0};    // of it, what the server has asked for
        milliseconds patience{0}; // for its whole answer
    };

    // `api_version` and `kind` are what the items of a list leave out. `selector`: "fieldSelector=..." or "labelSelector=...", percent-encoded,
    // or "". `wait_max`: between tries at a server that is away.
    Reflection(std::string api_version, std::string kind, std::string selector, std::uint64_t seed, milliseconds wait_max = milliseconds(30'000));

    [[nodiscard]] Next next();

    // The server answers others again: waits grow from the least anew.
    void take_heart() { backoff_.succeeded(); }

    // The answer to a list. Something only after its last page.
    std::optional<Batch> listed(const Result<Answer>& answer);
    // A whole line of a watch, added to `batch`. False: nothing more will come of this watch, end it.
    [[nodiscard]] bool line(std::string_view text, Batch& batch);
    // The watch ended, so long after it was asked for.
    void watch_ended(const Result<Answer>& answer, milliseconds lived);
    // Lists anew, for who does not trust events. A watch that runs is of no use after that.
    void restart();

    [[nodiscard]] bool synced() const { return synced_; }  // a whole list was seen at some time
    [[nodiscard]] bool missing() const { return missing_; }  // the server has no such collection (404)
    // What keeps it from following the server now; nothing if all is well. What it was doing is context: `what` may be the same of many.
    [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }

private:
    void failed(Error error, std::optional<milliseconds> retry_after);
    void start_over();
    void list_anew();
    Status take_page(const Answer& answer);
    [[nodiscard]] std::string act(const char* verb) const;
    [[nodiscard]] model::Value whole(const model::Value& item) const;
    void heard();
    bool no_event(const char* why);
    void watch_error(const model::Value& status);
    void watch_in_vain();

    const std::string api_version_;
    const std::string kind_;
    const std::string selector_;
    Backoff backoff_;       // between tries
    Backoff anew_;          // between lists that follow one another
    std::minstd_rand random_;

    std::string since_;     // as a batch has it, of the list that is to come
    std::string version_;   // to watch from; "": list first
    PageGuard guard_;       // of the list that comes
    Batch pages_;           // what it has brought so far
    unsigned page_failures_ = 0;
    milliseconds delay_{0};
    milliseconds asked_{0};
    bool heard_ = false;    // the watch that runs has given a line
    bool failed_ = false;   // it has said that it failed
    bool short_ = false;    // the watch before ended at once
    unsigned in_vain_ = 0;  // watches, one after the other, of which the server made nothing
    bool relisted_ = false; // no watch has lasted since a list was begun anew
    bool synced_ = false;
    bool missing_ = false;
    std::optional<Error> trouble_;
};

}  // namespace penstock::kubeapi
