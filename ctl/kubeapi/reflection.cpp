// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/reflection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "ctl/kubeapi/url.hpp"
#include "ctl/model/text_at.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::kubeapi {

namespace {

using model::Value;

constexpr int kPage = 500;
constexpr auto kListPatience = milliseconds(60'000);
constexpr int kWatchMin = 300;  // seconds that a watch lasts, as client-go has it: between once and twice that
constexpr auto kWatchGrace = milliseconds(30'000);
constexpr auto kRelist = milliseconds(1'600);  // between two lists half of it at least, as client-go has it
constexpr auto kShort = milliseconds(1'000);   // a watch that ends sooner without a line is none
constexpr auto kHeld = milliseconds(30'000);   // one that lasted so long: waits grow from the least anew
constexpr unsigned kPageTries = 3;             // then from the first page on: the token may be what the server cannot bear
constexpr unsigned kInVainMax = 5;             // then a list: the version may be
constexpr auto kAskedMost = std::int64_t{600};  // seconds
constexpr std::string_view kOfNoUse = "managedFields";  // often half of an object
constexpr model::TextLimits kListLimits = {.bytes_max = 512UL << 20, .nodes_max = 50'000'000, .leave_out = kOfNoUse};
constexpr model::TextLimits kLineLimits = {.bytes_max = 16UL << 20, .leave_out = kOfNoUse};

// It may well be able to, later.
bool is_busy(std::int64_t status) { return status == 429 || status == 503; }

std::int64_t integer_at(const Value& of, std::initializer_list<std::string_view> path) {
    const Value* found = of.find_path(path);
    return found != nullptr && found->as_integer() != nullptr ? *found->as_integer() : 0;
}

// How long a Status asks to wait.
std::optional<milliseconds> wait_asked(const Value& status) {
    const std::int64_t seconds = integer_at(status, {"details", "retryAfterSeconds"});
    return seconds > 0 ? std::optional(milliseconds(std::min(seconds, kAskedMost) * 1000)) : std::nullopt;
}

}  // namespace

Reflection::Reflection(std::string api_version, std::string kind, std::string selector, std::uint64_t seed, milliseconds wait_max)
    : api_version_(std::move(api_version)), kind_(std::move(kind)), selector_(std::move(selector)), backoff_(milliseconds(200), wait_max, seed),
      anew_(kRelist, wait_max, seed), random_(static_cast<std::minstd_rand::result_type>(seed)) {}

Reflection::Next Reflection::next() {
    Next next{.what = version_.empty() ? Next::What::list : Next::What::watch, .query = {}, .delay = std::exchange(delay_, milliseconds(0)),
              .asked = std::exchange(asked_, milliseconds(0)), .patience = kListPatience};
    const std::string selector = selector_.empty() ? "" : "&" + selector_;
    if (next.what == Next::What::list) {
        next.query = fmt::format("limit={}{}{}", kPage, selector, guard_.next().empty() ? "" : "&continue=" + url_encoded(guard_.next()));
        return next;
    }
    const int lasts = std::uniform_int_distribution(kWatchMin, 2 * kWatchMin)(random_);
    next.patience = std::chrono::seconds(lasts) + kWatchGrace;
    next.query = fmt::format("watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}{}", lasts, url_encoded(version_), selector);
    heard_ = false;
    failed_ = false;
    return next;
}

void Reflection::failed(Error error, std::optional<milliseconds> retry_after) {
    asked_ = retry_after.value_or(milliseconds(0));
    delay_ = std::max({delay_, backoff_.next(), asked_});
    trouble_ = std::move(error);
}

void Reflection::start_over() {
    if (!version_.empty()) {
        since_ = std::exchange(version_, {});
    }
    guard_ = {};
    pages_ = {};
    page_failures_ = 0;
    in_vain_ = 0;
}

// At once, but not again and again.
void Reflection::list_anew() {
    start_over();
    if (std::exchange(relisted_, true)) {
        delay_ = std::max(delay_, anew_.next());
    }
}

void Reflection::restart() {
    if (!version_.empty()) {
        start_over();  // else a list is under way
    }
}

std::string Reflection::act(const char* verb) const { return fmt::format("{} {} of {}", verb, kind_, api_version_); }

Value Reflection::whole(const Value& item) const {
    // Lists of the built-in kinds leave these two out.
    return item.find("kind") != nullptr ? item : item.with("apiVersion", Value::string(api_version_)).with("kind", Value::string(kind_));
}

// ---- lists ------------------------------------------------------------------------------------------------------------
Status Reflection::take_page(const Answer& answer) {
    auto parsed = model::parse_json(answer.body, kListLimits);
    const std::string version = parsed.ok() ? text_at(*parsed, {"metadata", "resourceVersion"}) : "";
    if (version.empty()) {
        return Error{.code = Errc::invalid, .what = "the answer is no list"};
    }
    PST_TRY(guard_.page(answer.body.size(), text_at(*parsed, {"metadata", "continue"})));
    if (const Value* items = parsed->find("items")) {
        for (const Value& item : items->items()) {
            pages_.changes.push_back({whole(item)});
        }
    }
    page_failures_ = 0;
    version_ = guard_.next().empty() ? version : "";
    return success();
}

std::optional<Batch> Reflection::listed(const Result<Answer>& answer) {
    const std::string what = act("list");
    if (!answer.ok()) {
        failed(Error(answer.error()).in(what), {});
        return std::nullopt;
    }
    missing_ = answer->status == 404;
    if (!answer->good()) {
        if (answer->status == 410 || missing_ || (!is_busy(answer->status) && ++page_failures_ >= kPageTries)) {
            start_over();  // the page's token is too old, or bad; or there is nothing to go on with
        }
        failed(answer->failure(what), answer->retry_after);
        return std::nullopt;
    }
    if (auto taken = take_page(*answer); !taken.ok()) {
        start_over();
        failed(std::move(taken).error().in(what), {});
        return std::nullopt;
    }
    trouble_.reset();
    if (version_.empty()) {
        return std::nullopt;
    }
    if (!relisted_) {
        backoff_.succeeded();
    }
    synced_ = true;
    Batch batch = std::exchange(pages_, {});
    batch.all = true;
    batch.since = std::exchange(since_, {});
    return batch;
}

// ---- watches ----------------------------------------------------------------------------------------------------------
void Reflection::heard() {
    if (!heard_) {
        heard_ = true;
        in_vain_ = 0;
        backoff_.succeeded();
        trouble_.reset();
    }
}

// What it was to tell is lost, and the versions after it would hide that.
bool Reflection::no_event(const char* why) {
    failed_ = true;
    failed(Error{.code = Errc::invalid, .what = why}.in(act("watch")), {});
    list_anew();
    return false;
}

void Reflection::watch_in_vain() {
    if (!heard_ && ++in_vain_ >= kInVainMax) {
        list_anew();
    }
}

void Reflection::watch_error(const Value& status) {
    failed_ = true;
    const std::int64_t code = integer_at(status, {"code"});
    if (code == 410 || text_at(status, {"reason"}) == "Expired") {
        list_anew();  // not our failure
        return;
    }
    failed(Error{.code = Errc::internal, .what = text_at(status, {"message"})}.in(act("watch")), wait_asked(status));
    if (!is_busy(code)) {
        watch_in_vain();
    }
}

bool Reflection::line(std::string_view text, Batch& batch) {
    if (version_.empty()) {
        return false;
    }
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) {
        return true;
    }
    const auto event = model::parse_json(text, kLineLimits);
    const Value* object = event.ok() ? event->find("object") : nullptr;
    const std::string type = event.ok() ? text_at(*event, {"type"}) : "";
    if (object == nullptr || type.empty()) {
        return no_event("a line is no event");
    }
    if (type == "ERROR") {
        watch_error(*object);
        return false;
    }
    const bool changed = type == "ADDED" || type == "MODIFIED" || type == "DELETED";
    const std::string version = text_at(*object, {"metadata", "resourceVersion"});
    if (version.empty()) {
        return changed ? no_event("an event has no version") : true;
    }
    heard();
    version_ = version;
    if (changed) {
        batch.changes.push_back({whole(*object), type == "DELETED"});
    }
    return true;
}

void Reflection::watch_ended(const Result<Answer>& answer, milliseconds lived) {
    const std::string what = act("watch");
    if (lived >= kHeld) {
        relisted_ = false;
        anew_.succeeded();
        backoff_.succeeded();
    }
    const bool twice_short = std::exchange(short_, lived < kShort) && short_;
    if (!answer.ok()) {
        failed(Error(answer.error()).in(what), {});
        return;
    }
    missing_ = answer->status == 404;
    if (answer->status == 410 || missing_) {
        list_anew();
    }
    if (!answer->good()) {
        if (answer->status != 410) {
            failed(answer->failure(what), answer->retry_after);
        }
        if (!is_busy(answer->status)) {
            watch_in_vain();
        }
        return;
    }
    if (failed_) {
        return;  // and said how
    }
    if (!heard_ && !short_) {
        backoff_.succeeded();
        trouble_.reset();
    } else if (twice_short || !heard_) {
        // A server that shuts down ends its watches one after the other, and so does its time: go on, but not in a tight loop.
        delay_ = std::max(delay_, backoff_.next());
        watch_in_vain();
    }
}

}  // namespace penstock::kubeapi
