"""The words of the verdict: every sentence it may print, when it prints it, and for whom.

The words are data so that they can be read, tested and versioned apart from the code that chooses among them. Two
families of words never stand in a sentence here: praise of efficacy and of harmlessness (`CLAIM_WORDS`). What a trial
shows is said in numbers and in what its design allows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

RULES_VERSION: Final = "1.0"
"""Changes whenever a rule, its condition or its words change."""

Audience = Literal["professional", "patient"]
Topic = Literal[
    "effect", "importance", "measurement", "no-drug", "design", "harms", "satisfaction", "certainty", "next"
]

CLAIM_WORDS: Final = re.compile(
    r"\b(effective|effectively|efficacious|works?|worked|working|proven?|proves|proof|cures?|cured|safe|safely|safety"
    r"|harmless|guaranteed?|breakthrough|miracle)\b",
    re.IGNORECASE,
)
"""Words that no verdict prints, and that the name of an outcome may not carry into one."""

LAST_PATIENT_SENTENCE: Final = "Please talk to a specialist about your own case."


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that the verdict may say.

    Parameters
    ----------
    code : str
        Stable name, for example ``effect-uncontrolled-rise``.
    topic : str
        Under which heading it is printed.
    when : str
        The condition, in words.
    professional, patient : str
        The sentences, with the numbers' places in braces; empty where that reader gets none.
    """

    code: str
    topic: Topic
    when: str
    professional: str
    patient: str = ""


_RULES: Final = (
    # What the estimate says, when there is nobody to compare with
    Rule(
        "effect-none",
        "effect",
        "no finite estimate of the outcome",
        "No estimate of {outcome} was given, so nothing can be said about how much it changed.",
        "The study does not say how much {outcome} changed.",
    ),
    Rule(
        "effect-p-only",
        "effect",
        "a p-value and no estimate",
        "Of {outcome} only {p} is given: that says nothing about how much it changed.",
        "The study does not say how much {outcome} changed.",
    ),
    Rule(
        "effect-no-interval",
        "effect",
        "an estimate without an interval",
        "{Outcome} changed by {change}. Without an interval nothing can be said about how precise this is.",
        "On average, {outcome} changed by about {value_words}. The study does not say how sure this number is.",
    ),
    Rule(
        "effect-uncontrolled-rise",
        "effect",
        "no comparison group; the whole interval lies on the side of benefit",
        "{Outcome} changed from baseline by {change} in one treated group. There was no comparison group: the change"
        " cannot be ascribed to the treatment, because the natural course, regression to the mean, season, the"
        " injections themselves, other treatment, expectation and unblinded counting give the same picture.",
        "After the treatment, {outcome} {went} by about {value_words}. But all people in the study got it."
        " So we cannot tell if it caused the change.",
    ),
    Rule(
        "effect-uncontrolled-unclear",
        "effect",
        "no comparison group; the interval includes no change",
        "{Outcome} changed from baseline by {change}: the interval includes no change, and without a comparison group"
        " the cause of a change could not be told either.",
        "After the treatment, we cannot be sure that {outcome} changed at all. All people in the study got the"
        " treatment. So we could not tell what caused a change.",
    ),
    Rule(
        "effect-uncontrolled-fall",
        "effect",
        "no comparison group; the whole interval lies on the side of harm",
        "{Outcome} changed from baseline by {change}, which is for the worse. Without a comparison group it cannot be"
        " told whether the treatment slowed the loss, did nothing or added to it.",
        "After the treatment, {outcome} got worse: it {went} by about {value_words}. All people in the study got"
        " the treatment. So we cannot tell what caused the change.",
    ),
    # What the estimate says, against a comparison group
    Rule(
        "effect-controlled-rise",
        "effect",
        "a comparison group; the whole interval lies on the side of benefit",
        "Against {comparator}, {outcome} differed by {change} in favour of the treatment.",
        "With the treatment, {outcome} was better than with {comparator_words}. The gap was about {value_words}.",
    ),
    Rule(
        "effect-controlled-unclear",
        "effect",
        "a comparison group; the interval includes no difference",
        "Against {comparator}, {outcome} differed by {change}: the interval includes no difference. This does not show"
        " that the two are equal.",
        "The study could not find a clear gap between the treatment and {comparator_words}.",
    ),
    Rule(
        "effect-controlled-fall",
        "effect",
        "a comparison group; the whole interval lies on the side of harm",
        "Against {comparator}, {outcome} differed by {change}, to the disadvantage of the treatment.",
        "With the treatment, {outcome} was worse than with {comparator_words}. The gap was about {value_words}.",
    ),
    # Does it matter, and is it more than error
    Rule(
        "importance-unknown",
        "importance",
        "no smallest important difference was given",
        "No smallest important difference was stated, so whether a change of this size matters is not judged.",
    ),
    Rule(
        "importance-below-significant",
        "importance",
        "p < 0.05 and the whole interval lies below the smallest important difference",
        "Statistically significant ({p}) and too small to matter: the whole interval lies below the smallest important"
        " difference of {sid}.",
        "The change is too small to matter to most people.",
    ),
    Rule(
        "importance-below",
        "importance",
        "the whole interval lies below the smallest important difference, without p < 0.05",
        "The whole interval lies below the smallest important difference of {sid}: even its best end is too small to"
        " matter.",
        "The change is too small to matter to most people.",
    ),
    Rule(
        "importance-spans",
        "importance",
        "the interval includes the smallest important difference",
        "The interval includes the smallest important difference of {sid}: the data do not tell whether the change is"
        " large enough to matter.",
        "We cannot tell if the change is big enough to matter.",
    ),
    Rule(
        "importance-above",
        "importance",
        "the whole interval lies above the smallest important difference",
        "The whole interval lies above the smallest important difference of {sid}; this speaks of the size of the"
        " change, not of its cause.",
        "A change of that size would matter to most people.",
    ),
    Rule(
        "error-unknown",
        "measurement",
        "the measurement error is not known",
        "The error of the measurement is not known: part or all of the change may be measurement.",
        "We do not know how exact the hair counts are.",
    ),
    Rule(
        "error-within",
        "measurement",
        "the estimate is no larger than the smallest change detectable in one person",
        "The change is within measurement error: it is no larger than the smallest change detectable in one person,"
        " {mdc}. Averaging many people removes the random part of that error, never its shared part.",
        "If one head is counted two times, the counts can differ by that much.",
    ),
    Rule(
        "error-beyond",
        "measurement",
        "the estimate is larger than the smallest change detectable in one person",
        "The change is larger than the smallest change detectable in one person, {mdc}.",
    ),
    Rule(
        "tests-lost",
        "importance",
        "significant before, not after adjustment for several tests",
        "The p-value is below 0.05 only before adjustment for several tests: adjusted {p_adjusted}.",
        "With more than one test, one can look good by luck. This may be one.",
    ),
    Rule(
        "tests-unadjusted",
        "importance",
        "several tests and no adjusted p-value",
        "{n_tests} tests were made without adjustment: with no effect anywhere, the chance that at least one gives"
        " p < 0.05 is up to {family_error} in 100.",
        "More than one test was done. One of them can look good by luck.",
    ),
    Rule(
        "p-contradicts",
        "importance",
        "the p-value and the interval disagree about p < 0.05",
        "The p-value ({p}) and the interval disagree about the 5 % level: one of them rests on another method or is in"
        " error.",
    ),
    # What would have happened without the drug
    Rule(
        "no-drug-probability",
        "no-drug",
        "no comparison group, and natural changes are known from published control groups",
        "With a treatment that does nothing, a study of {n} people without a comparison group gives p < 0.05 for a rise"
        " with probability {low} to {high}, if hair changes as it did in published control groups.",
        "Hair counts can go up without a drug. With a fake drug, about {low_100} to {high_100} in 100 such studies"
        " would still look good.",
    ),
    # What the design leaves open
    Rule(
        "design-single-arm",
        "design",
        "no comparison group and no interval of the outcome",
        "There was no comparison group: a change could not be ascribed to the treatment, because the natural course,"
        " regression to the mean, season, the injections themselves, other treatment, expectation and unblinded"
        " counting give the same picture.",
        "All people in the study got the treatment. So we cannot tell what caused a change.",
    ),
    Rule(
        "design-not-randomised",
        "design",
        "a comparison group that was not allotted at random",
        "The groups were not allotted at random: the difference may come from who was in which group.",
        "People were not put in the groups by chance. The groups may not have been alike at the start.",
    ),
    Rule(
        "design-no-sham",
        "design",
        "compared with no treatment",
        "The comparison group got no sham: the difference includes the injections themselves, attention and"
        " expectation.",
        "The other group got no fake treatment. So hope or the needle may explain the gap.",
    ),
    Rule(
        "design-active",
        "design",
        "compared with another treatment",
        "The comparison was with another active treatment: it does not tell how either differs from no treatment.",
        "The study did not test the treatment against a fake one.",
    ),
    Rule(
        "design-unblinded",
        "design",
        "patients or counters knew who was treated, or it is not known whether they did",
        "Not everyone who could sway the result was blinded ({blinding}): expectation and counting may favour the"
        " treatment.",
        "Some people knew who got the treatment. That can make results look better than they are.",
    ),
    Rule(
        "design-split-scalp",
        "design",
        "both treatments on one head",
        "Both treatments were given to one scalp: what spreads from the treated to the other side makes the difference"
        " look smaller than it is.",
        "Both treatments were put on the same head. One may have spread to the other side.",
    ),
    Rule(
        "design-lost-people",
        "design",
        "fewer people analysed than enrolled",
        "{n_lost} of {n_enrolled} people ({lost_percent} %) are missing from the analysis; the result assumes that they"
        " would have done like the others.",
        "Some people are missing from the result. They may have done worse.",
    ),
    Rule(
        "design-short",
        "design",
        "followed for less than 24 weeks",
        "Follow-up was {weeks} weeks. Resting hairs take about 100 days to be shed and replaced: less than 24 weeks"
        " cannot show that a change lasts.",
        "The study was short. We do not know if a change would last.",
    ),
    Rule(
        "design-season",
        "design",
        "no comparison group, followed for less than a year",
        "Follow-up was {weeks} weeks and hair growth has a yearly rhythm: without a comparison group, season and"
        " treatment are confounded.",
        "",
    ),
    # Harms
    Rule(
        "harms-unknown",
        "harms",
        "harms were not reported",
        "Harms were not reported: this is missing information, not a finding.",
        "The study does not tell us about side effects.",
    ),
    Rule(
        "harms-zero",
        "harms",
        "nobody had an adverse event",
        "No adverse event was reported in {n} people. This leaves room for a true rate of up to {upper_percent} %"
        " (upper end of the exact two-sided {level} % interval): rarer harms are out of reach of a study of this size.",
        "No one out of {n} people had a side effect. That does not rule out harm. It could still hurt up to"
        " {upper_100} in 100 people.",
    ),
    Rule(
        "harms-some",
        "harms",
        "some people had an adverse event",
        "{people} of {n} people had an adverse event: {percent} % (exact {level} % interval {lower_percent} to"
        " {upper_percent} %).",
        "In the study, {people} out of {n} people had a side effect.",
    ),
    Rule(
        "harms-serious",
        "harms",
        "at least one serious adverse event",
        "Serious adverse events: {serious} people of {n}. A study of this size puts no useful limit on them.",
        "For {serious} of {n} people, a side effect was serious.",
    ),
    # Satisfaction
    Rule(
        "satisfaction-no-baseline",
        "satisfaction",
        "satisfaction asked after treatment only",
        "Satisfaction was asked after treatment only: a difference between two later visits is no improvement over"
        " baseline.",
        "People were asked how happy they were only after the treatment. So we cannot tell if that changed.",
    ),
    Rule(
        "satisfaction-uncontrolled",
        "satisfaction",
        "satisfaction compared with baseline but not with other people",
        "Satisfaction was compared with baseline in treated people who knew it: a rise measures expectation as well.",
        "People knew that they were treated. That alone can make them more happy.",
    ),
    Rule(
        "satisfaction-not-validated",
        "satisfaction",
        "the questionnaire was changed or never validated",
        "The questionnaire has no known validity or reliability in this form.",
        "",
    ),
    # Bias and certainty
    Rule(
        "bias-high",
        "certainty",
        "the bias judgement is high, serious or critical",
        "Risk of bias was judged {bias}: the true effect may be far from the estimate.",
        "The way the study was done may make the result look better than it is.",
    ),
    Rule(
        "bias-some",
        "certainty",
        "the bias judgement is some concerns or moderate",
        "Risk of bias was judged {bias}.",
        "There are some doubts about how the study was done.",
    ),
    Rule(
        "bias-unknown",
        "certainty",
        "no bias judgement",
        "Risk of bias was not judged.",
        "",
    ),
    Rule(
        "certainty-grade",
        "certainty",
        "a GRADE certainty was given",
        "Certainty of the evidence (GRADE): {certainty}.",
        "How sure are we? {certainty_words}",
    ),
    # What would settle it
    Rule(
        "next-sham-trial",
        "next",
        "the question is open and a sample size can be computed",
        "What would answer the question: a randomised, sham-controlled trial with blinded patients, injectors and"
        " counters, a marked field, counts at 24 weeks and follow-up to 52. To find a difference of {difference}"
        " (standard deviation of change {sd}) with a two-sided 5 % test it takes {n_80} people per group for 80 % power"
        " and {n_90} for 90 %, before drop-out; with {dropout_percent} % drop-out {n_90_dropout} for 90 %.",
        "A better study would put people in two groups by chance. One group would get a fake treatment. It would need"
        " about {n_90_dropout} people in each group.",
    ),
    Rule(
        "next-sham-trial-unsized",
        "next",
        "the question is open and no sample size can be computed",
        "What would answer the question: a randomised, sham-controlled trial with blinded patients, injectors and"
        " counters, a marked field, counts at 24 weeks and follow-up to 52. Its size cannot be computed before a"
        " smallest important difference and the standard deviation of change are known.",
        "A better study would put people in two groups by chance. One group would get a fake treatment.",
    ),
    Rule(
        "next-repeat",
        "next",
        "a randomised, blinded comparison with sham or placebo has shown a difference that matters",
        "What comes next: an independent repetition, and follow-up of at least a year with every harm counted.",
        "The next step is to see if a second study finds the same.",
    ),
    Rule("next-specialist", "next", "always, last", "", LAST_PATIENT_SENTENCE),
    # Headlines
    Rule(
        "answer-no-estimate",
        "effect",
        "headline: a comparison group, no interval of the primary outcome",
        "The study gives no estimate that could answer the question.",
        "This study does not answer the question.",
    ),
    Rule(
        "answer-cause-unknown",
        "effect",
        "headline: no comparison group",
        "The study cannot answer the question: it is compatible with benefit and with none, and cannot separate the"
        " treatment from what would have happened without it.",
        "This study cannot tell us if the treatment helps.",
    ),
    Rule(
        "answer-maybe-bias",
        "effect",
        "headline: a difference, but not randomised or at high risk of bias",
        "A difference was seen, but the way the study was made could have produced it.",
        "The treatment group did better. But we cannot be sure why.",
    ),
    Rule(
        "answer-difference-matters",
        "effect",
        "headline: randomised; the whole interval above the smallest important difference",
        "In this trial the treatment did better than {comparator}, by an amount that matters.",
        "In this study, the treatment did better than {comparator_words}.",
    ),
    Rule(
        "answer-difference-unsure-size",
        "effect",
        "headline: randomised; a difference, its importance open",
        "In this trial the treatment did better than {comparator}; whether by an amount that matters stays open.",
        "In this study, the treatment did better than {comparator_words}. The gap may be small.",
    ),
    Rule(
        "answer-difference-too-small",
        "effect",
        "headline: the whole interval below the smallest important difference",
        "In this trial any advantage over {comparator} was too small to matter.",
        "In this study, the treatment did not do better by much.",
    ),
    Rule(
        "answer-not-shown",
        "effect",
        "headline: the interval includes no difference and a difference that matters",
        "The trial does not answer the question: its interval includes no difference and differences that matter.",
        "This study cannot tell us if the treatment helps.",
    ),
    Rule(
        "answer-worse",
        "effect",
        "headline: the whole interval on the side of harm",
        "In this trial the treatment did worse than {comparator}.",
        "In this study, the treatment did worse than {comparator_words}.",
    ),
)
RULES: Final[dict[str, Rule]] = {rule.code: rule for rule in _RULES}

CAN_SHOW: Final = {
    "single-arm": (
        "how much the outcome changed in the people treated, and how precisely that is known",
        "how often harms of more than a few percent were seen during follow-up",
        "whether the procedure and the measurements can be carried out",
    ),
    "parallel": (
        "how the outcome differed between the groups during follow-up",
        "how often harms of more than a few percent were seen in each group",
    ),
    "split-scalp": (
        "how the outcome differed between two fields of one scalp",
        "how each field changed",
    ),
}
CANNOT_SHOW: Final = {
    "single-arm": (
        "what would have happened without the treatment",
        "whether the product, the injections, season, regression to the mean or expectation caused a change",
        "rare or late harms",
    ),
    "parallel": ("effects beyond the end of follow-up", "rare or late harms"),
    "split-scalp": (
        "an effect that reaches the whole scalp, since it reaches the comparison field too",
        "which treatment caused a harm that is not local",
        "effects beyond the end of follow-up",
    ),
}
COMPARATOR_WORDS: Final = {
    "sham": ("sham treatment", "a fake treatment"),
    "placebo": ("placebo", "a fake treatment"),
    "no-treatment": ("no treatment", "no treatment"),
    "active": ("the other treatment", "the other treatment"),
}
CERTAINTY_WORDS: Final = {
    "very low": "Not sure at all.",
    "low": "Not very sure.",
    "moderate": "Fairly sure.",
    "high": "Quite sure.",
}
