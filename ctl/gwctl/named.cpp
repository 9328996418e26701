// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/named.hpp"

#include <algorithm>

namespace penstock::gwctl {

namespace {

Error no_kind(const std::string& word) {
    std::string known;
    for (std::size_t i = 0; i < model::kKinds; ++i) {
        known += (i == 0 ? "" : ", ") + std::string(model::info(static_cast<model::Kind>(i)).plural);
    }
    return {.code = Errc::invalid, .what = "there is no kind \"" + word + "\"", .hint = "there are " + known};
}

Result<Named> one_named(const std::string& kind, const std::string& name) {
    const auto known = model::kind_of_word(kind);
    return known ? Result<Named>(Named{*known, name, kind}) : Result<Named>(no_kind(kind));
}

Result<std::vector<Named>> by_pairs(const std::vector<std::string>& words) {
    std::vector<Named> out;
    for (const std::string& word : words) {
        const std::size_t slash = word.find('/');
        if (slash == std::string::npos || slash + 1 == word.size()) {
            return Error{.code = Errc::invalid, .what = "\"" + word + "\" is no KIND/NAME", .hint = "either each word is one, or the first is a kind and the others are names"};
        }
        PST_TRY_ASSIGN(Named one, one_named(word.substr(0, slash), word.substr(slash + 1)));
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace

Result<std::vector<Named>> named_by(const std::vector<std::string>& words, bool several) {
    const std::string& kinds = words.at(0);
    if (kinds.find('/') != std::string::npos) {
        return by_pairs(words);
    }
    const std::vector<std::string> names = words.size() == 1 ? std::vector<std::string>{""} : std::vector<std::string>(words.begin() + 1, words.end());
    std::vector<Named> out;
    for (std::size_t at = 0; at <= kinds.size();) {
        const std::size_t end = several ? std::min(kinds.find(',', at), kinds.size()) : kinds.size();
        for (const std::string& name : names) {
            PST_TRY_ASSIGN(Named one, one_named(kinds.substr(at, end - at), name));
            out.push_back(std::move(one));
        }
        at = end + 1;
    }
    return out;
}

}  // namespace penstock::gwctl
