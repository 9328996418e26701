// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/selector.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "ctl/model/formats.hpp"

namespace penstock::model {

namespace {

std::string trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? "" : std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

// At commas outside of brackets.
std::vector<std::string> parts_of(std::string_view text) {
    std::vector<std::string> out(1);
    bool inside = false;
    for (const char c : text) {
        inside = c == '(' || (inside && c != ')');
        c == ',' && !inside ? (void)out.emplace_back() : (void)(out.back() += c);
    }
    return out;
}

Error wrong(const std::string& part) {
    return Error{.code = Errc::invalid, .what = "the selector's \"" + trimmed(part) + "\" is none", .hint = "a=b, a!=b, a, !a, 'a in (b,c)', 'a notin (b,c)', several by commas"};
}

// "(b, c)" of "a in (b, c)"; nothing if `word` does not stand there.
bool set_of(const std::string& part, std::string_view word, LabelRequirement& out) {
    const std::size_t open = part.find('(');
    const std::string head = trimmed(part.substr(0, open));
    if (open == std::string::npos || !part.ends_with(')') || !head.ends_with(" " + std::string(word))) {
        return false;
    }
    out.key = trimmed(head.substr(0, head.size() - word.size()));
    for (const std::string& value : parts_of(part.substr(open + 1, part.size() - open - 2))) {
        out.values.push_back(trimmed(value));
    }
    return true;
}

Result<LabelRequirement> requirement(const std::string& raw) {
    const std::string part = trimmed(raw);
    LabelRequirement out;
    if (set_of(part, "notin", out)) {
        out.op = "NotIn";
    } else if (set_of(part, "in", out)) {
        out.op = "In";
    } else if (const std::size_t equals = part.find('='); equals != std::string::npos) {
        const bool unlike = equals > 0 && part[equals - 1] == '!';
        const bool twice = part.substr(equals).starts_with("==");
        out = {.key = trimmed(part.substr(0, equals - (unlike ? 1 : 0))), .op = unlike ? "NotIn" : "In", .values = {trimmed(part.substr(equals + (twice ? 2 : 1)))}};
    } else {
        const bool absent = part.starts_with("!");
        out = {.key = trimmed(part.substr(absent ? 1 : 0)), .op = absent ? "DoesNotExist" : "Exists", .values = {}};
    }
    const bool good = is_label_key(out.key) && std::all_of(out.values.begin(), out.values.end(), is_label_value);
    return good ? Result<LabelRequirement>(std::move(out)) : wrong(raw);
}

std::string fault_of(const LabelRequirement& one) {
    const bool of_values = one.op == "In" || one.op == "NotIn";
    if (!of_values && one.op != "Exists" && one.op != "DoesNotExist") {
        return "operator: \"" + one.op + "\" is none of In, NotIn, Exists, DoesNotExist";
    }
    if (!is_label_key(one.key)) {
        return "key: \"" + one.key + "\" is not a label's key";
    }
    return of_values != one.values.empty() ? "" : std::string("values: must ") + (of_values ? "not " : "") + "be empty with " + one.op;
}

}  // namespace

std::string fault_of(const LabelSelector& selector) {
    for (std::size_t i = 0; i < selector.match_expressions.size(); ++i) {
        if (const std::string fault = fault_of(selector.match_expressions[i]); !fault.empty()) {
            return "matchExpressions[" + std::to_string(i) + "]." + fault;
        }
    }
    return {};
}

bool selects(const LabelSelector& selector, const Labels& labels) {
    if (!fault_of(selector).empty()) {
        return false;
    }
    for (const auto& [key, value] : selector.match_labels) {
        const auto found = labels.find(key);
        if (found == labels.end() || found->second != value) {
            return false;
        }
    }
    for (const LabelRequirement& want : selector.match_expressions) {
        const auto found = labels.find(want.key);
        const bool there = found != labels.end();
        const bool in = there && std::find(want.values.begin(), want.values.end(), found->second) != want.values.end();
        const bool holds = want.op == "In" ? in : want.op == "NotIn" ? !in : want.op == "Exists" ? there : want.op == "DoesNotExist" && !there;
        if (!holds) {
            return false;
        }
    }
    return true;
}

Result<LabelSelector> parse_selector(std::string_view text) {
    LabelSelector out;
    if (trimmed(text).empty()) {
        return out;
    }
    for (const std::string& part : parts_of(text)) {
        PST_TRY_ASSIGN(LabelRequirement one, requirement(part));
        out.match_expressions.push_back(std::move(one));
    }
    return out;
}

}  // namespace penstock::model
