# -2 (restricted) log-likelihood by nlme::gls for the structures it has: Rscript validation/gls.R tests/data/fev_data.csv
suppressMessages(library(nlme))
d <- read.csv(commandArgs(TRUE)[1])
d <- d[!is.na(d$FEV1), ]
d$v <- as.integer(factor(d$AVISIT))
own <- varIdent(form = ~ 1 | AVISIT)
fits <- list(
  cs = list(corCompSymm(form = ~ v | USUBJID), NULL),
  csh = list(corCompSymm(form = ~ v | USUBJID), own),
  ar1 = list(corAR1(form = ~ v | USUBJID), NULL),
  ar1h = list(corAR1(form = ~ v | USUBJID), own),
  us = list(corSymm(form = ~ v | USUBJID), own)
)
for (method in c("REML", "ML")) {
  for (name in names(fits)) {
    fit <- gls(FEV1 ~ RACE + SEX + ARMCD * AVISIT + FEV1_BL, d,
      correlation = fits[[name]][[1]], weights = fits[[name]][[2]], method = method
    )
    cat(tolower(method), name, format(-2 * as.numeric(logLik(fit)), digits = 13), "\n")
  }
}
