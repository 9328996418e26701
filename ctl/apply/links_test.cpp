// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/links.hpp"

#include <map>
#include <vector>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::apply;

namespace {

constexpr Mac kOwn{2, 0, 0, 0, 0, 1};
constexpr Mac kHop{2, 0, 0, 0, 0, 2};

}  // namespace

TEST_CASE("apply: an interface keeps its link number; a number that was given up is the last to be given again") {
    std::vector<pst_link> links(3);
    std::map<std::uint32_t, std::uint32_t> link_of;
    const auto go = [&](const std::vector<LinkWish>& wishes) {
        const auto steps = plan_links(links, link_of, wishes);
        for (const plan::Step& step : steps) {
            if (const auto* put = std::get_if<plan::PutLink>(&step.what)) {
                links[put->number] = put->link;
            } else if (const auto* of = std::get_if<plan::PutLinkOf>(&step.what)) {
                CHECK(links[of->number].ifindex == of->ifindex);  // the link comes before the way to it
                link_of[of->ifindex] = of->number;
            } else {
                link_of.erase(std::get<plan::EraseLinkOf>(step.what).ifindex);
            }
        }
        return steps.size();
    };
    CHECK(go({{7, kOwn, true}, {9, kHop, false}}) == 4);
    CHECK(go({{9, kHop, false}, {7, kOwn, true}}) == 0);
    CHECK(link_of == std::map<std::uint32_t, std::uint32_t>{{7, 0}, {9, 1}});
    CHECK(go({{9, kHop, true}}) == 3);
    CHECK(links[0].ifindex == 0);
    CHECK(go({{9, kHop, true}, {11, kOwn, false}}) == 2);
    CHECK(link_of.at(11) == 2);
    go({{9, kHop, true}, {11, kOwn, false}, {12, kOwn, false}});
    CHECK(link_of.at(12) == 0);
    CHECK(go({{9, kHop, true}, {11, kOwn, false}, {12, kOwn, false}, {13, kOwn, false}}) == 0);  // full: left out
}
