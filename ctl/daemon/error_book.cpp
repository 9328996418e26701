// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/error_book.hpp"

#include <algorithm>
#include <cstring>

#include "userspace/base/time.hpp"

namespace penstock::daemon {

namespace {

constexpr unsigned kDoublings = 5;
constexpr ErrorBook::Ms kRetryMaxMs = 30'000;

ErrorBook::Ms patience(unsigned tries) { return std::min(ErrorBook::Ms(1000) << std::min(tries, kDoublings), kRetryMaxMs); }

// The error often says itself what it is about.
std::string text_of(const Trouble& trouble) {
    return trouble.what == trouble.error.what ? trouble.error.message() : trouble.what + ": " + trouble.error.message();
}

std::string cause_of(const Error& error) { return error.sys_errno != 0 ? std::strerror(error.sys_errno) : std::string(); }

}  // namespace

ErrorBook::News ErrorBook::set(std::vector<Trouble> now_wrong, std::uint64_t generation, Ms now_ms, std::int64_t unix_s) {
    if (now_wrong.size() > kMax) {
        now_wrong.erase(now_wrong.begin() + kMax, now_wrong.end());
    }
    News news;
    const auto in = [](const std::vector<Trouble>& list, const std::string& what) {
        return std::any_of(list.begin(), list.end(), [&](const Trouble& t) { return t.what == what; });
    };
    for (Entry& entry : entries_) {
        if (!entry.solved_ms && !in(now_wrong, entry.trouble.what)) {
            entry.solved_ms = now_ms;
            news.solved.push_back(entry.trouble.what);
        }
    }
    for (const Trouble& trouble : now_wrong) {
        const auto same = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return !e.solved_ms && e.trouble.what == trouble.what; });
        if (same != entries_.end()) {
            same->trouble = trouble;
            continue;
        }
        const std::string cause = cause_of(trouble.error);
        news.begun.push_back(text_of(trouble) + (cause.empty() ? "" : ": " + cause));
        entries_.push_front({.trouble = trouble, .generation = generation, .unix_s = unix_s, .solved_ms = {}});
    }
    forget(now_ms);
    retry_at_.reset();
    if (unsolved() != 0) {
        retry_at_ = now_ms + patience(tries_++);
    } else {
        tries_ = 0;
    }
    return news;
}

void ErrorBook::forget(Ms now_ms) {
    entries_.remove_if([&](const Entry& entry) { return entry.solved_ms && now_ms - *entry.solved_ms >= kKeepSolvedMs; });
    // Solved ones make room first, then the oldest.
    while (entries_.size() > kMax) {
        const auto solved = std::find_if(entries_.rbegin(), entries_.rend(), [](const Entry& entry) { return entry.solved_ms.has_value(); });
        entries_.erase(solved != entries_.rend() ? std::prev(solved.base()) : std::prev(entries_.end()));
    }
}

std::size_t ErrorBook::unsolved() const {
    return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return !entry.solved_ms; }));
}

nlohmann::json ErrorBook::to_json(Ms now_ms) const {
    nlohmann::json list = nlohmann::json::array();
    for (const Entry& entry : entries_) {
        const Trouble& trouble = entry.trouble;
        const Ms retry = entry.solved_ms || !retry_at_ ? 0 : std::max<Ms>(*retry_at_ - now_ms, 0);
        list.push_back({{"time", rfc3339(entry.unix_s)},
                        {"generation", entry.generation},
                        {"object", object_reference(trouble.failure ? trouble.failure->object : "")},
                        {"message", text_of(trouble)},
                        {"caused_by", cause_of(trouble.error)},
                        {"hint", trouble.error.hint},
                        {"solved", entry.solved_ms.has_value()},
                        {"retry_in_ms", retry}});
    }
    return list;
}

nlohmann::json object_reference(const std::string& object) {
    const std::size_t first = object.find('/');
    const std::size_t second = first == std::string::npos ? first : object.find('/', first + 1);
    if (second == std::string::npos) {
        return nullptr;
    }
    return {{"kind", object.substr(0, first)}, {"namespace", object.substr(first + 1, second - first - 1)}, {"name", object.substr(second + 1)}};
}

}  // namespace penstock::daemon
