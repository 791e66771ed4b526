//! Names of months, days and halves of a day in some languages.

/// The words of one language, in lower case; full names, then short ones.
#[derive(Debug)]
pub(crate) struct Locale {
    tag: &'static str,
    pub(crate) months: [[&'static str; 12]; 2],
    /// From Sunday on.
    pub(crate) days: [[&'static str; 7]; 2],
}

/// The words of a language tag such as `es-ES`; English if there is none.
pub(crate) fn locale(tag: &str) -> Option<&'static Locale> {
    let language = tag.split(['-', '_']).next().unwrap_or_default();
    let wanted = if tag.is_empty() { "en" } else { language };
    LOCALES.iter().find(|locale| locale.tag == wanted)
}

static LOCALES: [Locale; 6] = [
    Locale {
        tag: "en",
        months: [
            [
                "january",
                "february",
                "march",
                "april",
                "may",
                "june",
                "july",
                "august",
                "september",
                "october",
                "november",
                "december",
            ],
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
        ],
        days: [
            ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"],
            ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
        ],
    },
    Locale {
        tag: "es",
        months: [
            [
                "enero",
                "febrero",
                "marzo",
                "abril",
                "mayo",
                "junio",
                "julio",
                "agosto",
                "septiembre",
                "octubre",
                "noviembre",
                "diciembre",
            ],
            ["ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic"],
        ],
        days: [
            ["domingo", "lunes", "martes", "mi\u{e9}rcoles", "jueves", "viernes", "s\u{e1}bado"],
            ["dom", "lun", "mar", "mi\u{e9}", "jue", "vie", "s\u{e1}b"],
        ],
    },
    Locale {
        tag: "it",
        months: [
            [
                "gennaio",
                "febbraio",
                "marzo",
                "aprile",
                "maggio",
                "giugno",
                "luglio",
                "agosto",
                "settembre",
                "ottobre",
                "novembre",
                "dicembre",
            ],
            ["gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"],
        ],
        days: [
            [
                "domenica",
                "luned\u{ec}",
                "marted\u{ec}",
                "mercoled\u{ec}",
                "gioved\u{ec}",
                "venerd\u{ec}",
                "sabato",
            ],
            ["dom", "lun", "mar", "mer", "gio", "ven", "sab"],
        ],
    },
    Locale {
        tag: "fr",
        months: [
            [
                "janvier",
                "f\u{e9}vrier",
                "mars",
                "avril",
                "mai",
                "juin",
                "juillet",
                "ao\u{fb}t",
                "septembre",
                "octobre",
                "novembre",
                "d\u{e9}cembre",
            ],
            [
                "janv.",
                "f\u{e9}vr.",
                "mars",
                "avr.",
                "mai",
                "juin",
                "juil.",
                "ao\u{fb}t",
                "sept.",
                "oct.",
                "nov.",
                "d\u{e9}c.",
            ],
        ],
        days: [
            ["dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"],
            ["dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."],
        ],
    },
    Locale {
        tag: "de",
        months: [
            [
                "januar",
                "februar",
                "m\u{e4}rz",
                "april",
                "mai",
                "juni",
                "juli",
                "august",
                "september",
                "oktober",
                "november",
                "dezember",
            ],
            [
                "jan", "feb", "m\u{e4}r", "apr", "mai", "jun", "jul", "aug", "sep", "okt", "nov",
                "dez",
            ],
        ],
        days: [
            ["sonntag", "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag"],
            ["so", "mo", "di", "mi", "do", "fr", "sa"],
        ],
    },
    Locale {
        tag: "pt",
        months: [
            [
                "janeiro",
                "fevereiro",
                "mar\u{e7}o",
                "abril",
                "maio",
                "junho",
                "julho",
                "agosto",
                "setembro",
                "outubro",
                "novembro",
                "dezembro",
            ],
            ["jan", "fev", "mar", "abr", "mai", "jun", "jul", "ago", "set", "out", "nov", "dez"],
        ],
        days: [
            [
                "domingo",
                "segunda-feira",
                "ter\u{e7}a-feira",
                "quarta-feira",
                "quinta-feira",
                "sexta-feira",
                "s\u{e1}bado",
            ],
            ["dom", "seg", "ter", "qua", "qui", "sex", "s\u{e1}b"],
        ],
    },
];
