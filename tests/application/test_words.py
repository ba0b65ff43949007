"""The utterance table, language by language, and what is taken from a text beside the intent."""

import time

import pytest

from wch.application.words import Intent, Understood, normalised, understand, understand_number

TABLE: dict[Intent, tuple[str, ...]] = {
    Intent.CONSENT_STOP: (
        "en: STOP · stop. · Stop. Thank you · please unsubscribe · opt-out · stop promotions · cancel subscription",
        "es: baja · darme de baja · no más mensajes",
        "pt_BR: parar · descadastrar · não quero mais receber",
        "ar: إيقاف · إلغاء الاشتراك · توقف",
        "hi: रोकें · बंद करें · स्टॉप",
    ),
    Intent.CONSENT_STOP_ALL: (
        "en: stop all · STOPALL",
        "es: baja total",
        "pt_BR: parar tudo",
        "ar: إيقاف الكل",
        "hi: सब बंद करें",
    ),
    Intent.CONSENT_START: (
        "en: subscribe · UNSTOP",
        "es: suscribirme",
        "pt_BR: inscrever · quero receber",
        "ar: اشتراك",
        "hi: शुरू करें",
    ),
    Intent.OPT_OUT_QUESTION: (
        "en: please stop sending me offers · don't message me again · how do I stop these messages?",
        "es: no me envíen más ofertas",
        "pt_BR: não me mandem mais ofertas",
        "ar: لا ترسلوا لي عروضا",
        "hi: मुझे ऑफर मत भेजो",
    ),
    Intent.HUMAN: (
        (
            "en: talk to a human · agent · can I speak to someone about a refund? · I want customer service"
            " · real person please"
        ),
        "es: hablar con una persona · agente",
        "pt_BR: falar com atendente",
        "ar: أريد التحدث مع موظف · خدمة العملاء",
        "hi: किसी इंसान से बात करनी है · एजेंट",
    ),
    Intent.CANCEL: (
        "en: cancel · never mind · quit · exit",
        "es: cancelar · salir",
        "pt_BR: cancelar · sair",
        "ar: إلغاء",
        "hi: रद्द करें",
    ),
    Intent.BACK: ("en: back · go back", "es: atrás · volver", "pt_BR: voltar", "ar: رجوع", "hi: वापस"),
    Intent.MENU: ("en: menu · main menu · home", "es: menú", "pt_BR: menu", "ar: القائمة", "hi: मेनू"),
    Intent.HELP: (
        "en: help · ? · what can you do? · how does this work?",
        "es: ayuda",
        "pt_BR: ajuda",
        "ar: مساعدة",
        "hi: मदद",
    ),
    Intent.LANG: (
        "en: in english please · change language",
        "es: español · en español",
        "pt_BR: em português",
        "ar: بالعربية",
        "hi: हिंदी में",
    ),
    Intent.ORDER_STATUS: (
        (
            "en: where is my order · where's my package? · track my order · order status · status of order 1042 · #1042"
            " · has my parcel shipped? · my orders · order · I need help with my order"
        ),
        "es: ¿dónde está mi pedido? · estado de mi pedido",
        "pt_BR: onde está meu pedido? · rastrear pedido",
        "ar: أين طلبي · تتبع الطلب",
        "hi: मेरा ऑर्डर कहाँ है · ऑर्डर की स्थिति",
    ),
    Intent.CANCEL_ORDER: (
        "en: cancel my order · cancel order 1042 · I want to cancel the order",
        "es: cancelar mi pedido",
        "pt_BR: cancelar meu pedido",
        "ar: إلغاء طلبي",
        "hi: मेरा ऑर्डर रद्द करें",
    ),
    Intent.ADD_TO_CART: (
        (
            "en: add to cart · add 3 items to cart · put two in my basket · I'll take it · add this"
            " · add 2 red shoes to my bag"
        ),
        "es: añadir al carrito · agregar 2",
        "pt_BR: adicionar ao carrinho · quero 2",
        "ar: أضف إلى السلة",
        "hi: कार्ट में डालें",
    ),
    Intent.REMOVE_ITEM: (
        "en: remove the blue lamp · take out item 2 · delete line 2",
        "es: quitar el artículo 2",
        "pt_BR: remover o item 2",
        "ar: احذف المنتج 2",
        "hi: आइटम 2 हटाएं",
    ),
    Intent.SET_QUANTITY: (
        "en: make it 3 · change item 1 to 2 · 2 instead of 1",
        "es: cambiar a 3",
        "pt_BR: mudar para 3",
        "ar: غير الكمية إلى 3",
        "hi: मात्रा 3 करें",
    ),
    Intent.CLEAR_CART: (
        "en: empty my cart · clear cart",
        "es: vaciar carrito",
        "pt_BR: esvaziar carrinho",
        "ar: إفراغ السلة",
        "hi: कार्ट खाली करें",
    ),
    Intent.COUPON: (
        "en: coupon SAVE10 · apply code SAVE10 · I have a discount code",
        "es: cupón SAVE10",
        "pt_BR: cupom SAVE10",
        "ar: كوبون SAVE10",
        "hi: कूपन SAVE10",
    ),
    Intent.REMOVE_COUPON: (
        "en: remove the coupon",
        "es: quitar cupón",
        "pt_BR: remover cupom",
        "ar: احذف الكوبون",
        "hi: कूपन हटाएं",
    ),
    Intent.VIEW_CART: (
        "en: cart · show my cart · what's in my bag? · basket",
        "es: ver carrito",
        "pt_BR: meu carrinho",
        "ar: سلتي · السلة",
        "hi: कार्ट दिखाएं",
    ),
    Intent.PAYMENT_CHECK: (
        "en: I paid · payment done · send me the payment link",
        "es: ya pagué",
        "pt_BR: já paguei",
        "ar: لقد دفعت",
        "hi: मैंने भुगतान कर दिया",
    ),
    Intent.CHECKOUT: (
        "en: checkout · buy now · pay · place my order · I want to order · proceed to checkout · I want to buy",
        "es: pagar · finalizar compra",
        "pt_BR: pagar · finalizar compra",
        "ar: إتمام الشراء · ادفع",
        "hi: चेकआउट · भुगतान करें",
    ),
    Intent.BROWSE: (
        "en: show products · catalog · browse · what do you sell? · categories · see the collection",
        "es: ver productos · catálogo",
        "pt_BR: ver produtos · catálogo",
        "ar: المنتجات · عرض المنتجات",
        "hi: उत्पाद दिखाएं · कैटलॉग",
    ),
    Intent.SEARCH: (
        (
            "en: search for red shoes · do you have umbrellas? · I'm looking for a gift · I want to buy a lamp"
            " · find iphone case · show me laptops · how much is the blue lamp?"
        ),
        "es: busco zapatos · ¿tienen paraguas?",
        "pt_BR: procuro tênis · vocês têm guarda-chuva?",
        "ar: أبحث عن حذاء",
        "hi: लाल जूते चाहिए",
    ),
    Intent.GREETING: (
        "en: hi · hello · hey there · good morning",
        "es: hola · buenos días",
        "pt_BR: oi · bom dia",
        "ar: مرحبا · السلام عليكم",
        "hi: नमस्ते",
    ),
    Intent.BYE: ("en: bye", "es: adiós", "pt_BR: tchau", "ar: مع السلامة", "hi: अलविदा"),
    Intent.THANKS: (
        "en: thanks · thank you! · thx",
        "es: gracias",
        "pt_BR: obrigado · obrigada",
        "ar: شكرا",
        "hi: धन्यवाद",
    ),
    Intent.YES: ("en: yes · ok · sure", "es: sí", "pt_BR: sim", "ar: نعم", "hi: हाँ"),
    Intent.NO: ("en: no · nope", "es: no", "pt_BR: não", "ar: لا", "hi: नहीं"),
}
CELLS = [
    (intent, cell.partition(": ")[0], phrase.strip())
    for intent, cells in TABLE.items()
    for cell in cells
    for phrase in cell.partition(": ")[2].split(" · ")
]


@pytest.mark.parametrize(("intent", "language", "phrase"), CELLS)
def test_every_phrase_of_the_table_has_its_intent(intent: Intent, language: str, phrase: str) -> None:
    """The whole table of the specification, cell by cell; the phrase's language is among those that matched."""
    found = understand(phrase)

    assert found.intent is intent
    assert not found.languages or language in found.languages


@pytest.mark.parametrize("phrase", ["his", "hire", "cartoon", "baggage", "asdf", "12 Track Road", "history"])
def test_what_only_looks_like_an_intent_is_none(phrase: str) -> None:
    """Whole words only: then it is looked for as a product, and is an address where one is asked for."""
    assert understand(phrase) == Understood(intent=Intent.NONE, words=phrase)
    assert understand(phrase, prompt="address").intent is Intent.ANSWER


@pytest.mark.parametrize(("phrase", "words"), [
    ("search for red shoes", "red shoes"),
    ("do you have umbrellas?", "umbrellas"),
    ("I'm looking for a gift", "gift"),
    ("I want to buy a lamp", "lamp"),
    ("find iphone case", "iphone case"),
    ("show me laptops", "laptops"),
    ("how much is the blue lamp?", "blue lamp"),
    ("busco zapatos", "zapatos"),
    ("¿tienen paraguas?", "paraguas"),
    ("procuro tênis", "tênis"),
    ("vocês têm guarda-chuva?", "guarda-chuva"),
    ("أبحث عن حذاء", "حذاء"),
    ("लाल जूते चाहिए", "लाल जूते"),
    ("Hello, do you have any umbrellas please", "umbrellas"),
])  # fmt: skip
def test_what_is_searched_for_follows_the_lead_words(phrase: str, words: str) -> None:
    """It is handed on as it was typed, accents and hyphens with it, since the shop knows its own words."""
    assert understand(phrase).words == words


@pytest.mark.parametrize(("phrase", "quantity", "words"), [
    ("add to cart", None, None),
    ("add 3 items to cart", 3, None),
    ("put two in my basket", 2, None),
    ("I'll take it", None, None),
    ("add 2 red shoes to my bag", 2, "red shoes"),
    ("add 5 blue lamps to cart", 5, "blue lamps"),
    ("agregar 2", 2, None),
    ("quero 2", 2, None),
    ("add ٣ to cart", 3, None),
    ("add ५ to cart", 5, None),
    ("add 5000 lamps to cart", 999, "lamps"),
    ("أضف ثلاثة إلى السلة", 3, None),
    ("दो कार्ट में डालें", 2, None),
    ("adicionar três canecas ao carrinho", 3, "canecas"),
])  # fmt: skip
def test_adding_says_how_many_of_what(phrase: str, quantity: int | None, words: str | None) -> None:
    """Digits of three scripts and number words count alike; "items" and "it" name no product."""
    found = understand(phrase)

    assert (found.intent, found.quantity, found.words) == (Intent.ADD_TO_CART, quantity, words)


@pytest.mark.parametrize(("phrase", "line", "quantity", "words"), [
    ("remove the blue lamp", None, None, "blue lamp"),
    ("take out item 2", 2, None, None),
    ("delete line 2", 2, None, None),
    ("quitar el artículo 2", 2, None, None),
    ("احذف المنتج 2", 2, None, None),
    ("आइटम 2 हटाएं", 2, None, None),
    ("make it 3", None, 3, None),
    ("change item 1 to 2", 1, 2, None),
    ("2 instead of 1", None, 2, None),
    ("make it 0", None, 0, None),
    ("remove the lamp from my cart", None, None, "lamp"),
])  # fmt: skip
def test_changing_a_line_says_which(phrase: str, line: int | None, quantity: int | None, words: str | None) -> None:
    """By its number or by its name; nought takes it out."""
    found = understand(phrase)

    assert (found.line, found.quantity, found.words) == (line, quantity, words)


@pytest.mark.parametrize(("phrase", "number"), [
    ("status of order 1042", "1042"),
    ("#1042", "1042"),
    ("#7", "7"),
    ("cancel order 1042", "1042"),
    ("where is my order", None),
    ("where is my order number 88123?", "88123"),
    ("estado de mi pedido 1042", "1042"),
    ("ऑर्डर 1042 की स्थिति", "1042"),
    ("أين طلبي رقم ١٠٤٢", "1042"),
])  # fmt: skip
def test_an_orders_number_stands_behind_a_sign_or_an_order_word(phrase: str, number: str | None) -> None:
    """Three digits or more, so that "my 2 orders" names none."""
    assert understand(phrase).order_number == number


@pytest.mark.parametrize(("phrase", "code"), [
    ("coupon SAVE10", "SAVE10"),
    ("apply code SAVE-10.", "SAVE-10"),
    ("please apply the code save10", "save10"),
    ("I have a discount code", None),
    ("my discount code is SAVE10", "SAVE10"),
    ("coupon", None),
    ("كوبون SAVE10", "SAVE10"),
    ("कूपन SAVE10", "SAVE10"),
])  # fmt: skip
def test_a_coupons_code_is_kept_as_typed(phrase: str, code: str | None) -> None:
    """Codes are the shop's words: neither folded nor cut."""
    found = understand(phrase)

    assert (found.intent, found.code) == (Intent.COUPON, code)


def test_consent_words_are_the_whole_message() -> None:
    """Anything more than politeness around them, and they are ordinary words."""
    assert understand("don't stop").intent is Intent.NONE
    assert understand("stop the press").intent is Intent.NONE
    assert understand("please stop, thank you").intent is Intent.CONSENT_STOP


@pytest.mark.parametrize("word", ["quit", "end", "salir", "sair", "cancel", "Cancel, please"])
def test_ending_words_opt_out_only_as_an_answer_to_a_campaign(word: str) -> None:
    """And not while a question is open: then they end the question."""
    assert understand(word, answering_campaign=True).intent is Intent.CONSENT_STOP
    assert understand(word).intent is not Intent.CONSENT_STOP
    assert understand(word, answering_campaign=True, prompt="address").intent is not Intent.CONSENT_STOP


@pytest.mark.parametrize("word", ["start", "alta"])
def test_start_opts_in_only_after_an_opt_out(word: str) -> None:
    """From a stranger it greets."""
    assert understand(word, after_opt_out=True).intent is Intent.CONSENT_START
    assert understand(word).intent is Intent.GREETING


@pytest.mark.parametrize(("phrase", "intent"), [
    ("menu", Intent.MENU),
    ("BACK", Intent.BACK),
    ("cancelar", Intent.CANCEL),
    ("¿?", Intent.HELP),
    ("cart", Intent.VIEW_CART),
    ("ver carrito", Intent.VIEW_CART),
    ("checkout", Intent.CHECKOUT),
    ("where is my order", Intent.ORDER_STATUS),
    ("talk to a human", Intent.HUMAN),
    ("stop", Intent.CONSENT_STOP),
    ("hi", Intent.ANSWER),
    ("yes", Intent.ANSWER),
    ("221B Baker Street, London NW1 6XE, UK", Intent.ANSWER),
    ("show products", Intent.ANSWER),
])  # fmt: skip
def test_an_open_question_takes_what_ranks_below_it(phrase: str, intent: Intent) -> None:
    """Escape words are heard at any question; the rest answers it."""
    assert understand(phrase, prompt="address").intent is intent


def test_an_answer_says_what_it_would_mean_otherwise() -> None:
    """So that a question that cannot use it may let it pass."""
    assert understand("show products", prompt="quantity").otherwise is Intent.BROWSE
    assert understand("👍🏽", prompt="clear_cart").otherwise is Intent.YES


def test_words_shared_by_languages_name_no_language() -> None:
    """A word such as menu is said in three: the conversation's language stays."""
    assert understand("hola").language == "es"
    assert understand("oi").language == "pt_BR"
    assert understand("menu").languages == {"en", "es", "pt_BR"}
    assert understand("menu").language is None
    assert understand("👍").languages == frozenset()


@pytest.mark.parametrize(("phrase", "choice"), [
    ("español", "es"), ("in english please", "en"), ("change language", None), ("em português", "pt_BR"),
    ("بالعربية", "ar"), ("हिंदी में", "hi"),
])  # fmt: skip
def test_a_language_is_chosen_by_name(phrase: str, choice: str | None) -> None:
    """Without a name the list of languages is wanted."""
    assert understand(phrase).choice == choice


@pytest.mark.parametrize(("text", "words"), [
    ("  Héllo,  WORLD!! ", "hello world"),
    ("ﬁne ①", "fine 1"),
    ("أَهْلاً", "اهلا"),
    ("١٢٣ ४५", "123 45"),
    ("a\u200bb\u200fc", "abc"),
    ("आइटम २", "आइटम 2"),
    ("What's up", "whats up"),
    ("Straße", "strasse"),
    ("", ""),
    ("🙂", ""),
])  # fmt: skip
def test_normal_form(text: str, words: str) -> None:
    """Compatibility forms, case, accents, vowel signs, marks and digits are folded; punctuation parts words."""
    assert normalised(text) == words


@pytest.mark.parametrize(("text", "number"), [
    ("2", 2), (" three. ", 3), ("٣", 3), ("x2", 2), ("two lamps", None), ("", None), ("दो", 2), ("9" * 30, None),
])  # fmt: skip
def test_a_number_alone(text: str, number: int | None) -> None:
    """What is typed at a list of options."""
    assert understand_number(text) == number


@pytest.mark.parametrize("piece", ["find ", "cancel order ", "a", "coupon ", "add 1 ", "please ", "hi ", "ﷺ", "कार्ट "])
def test_a_long_text_takes_no_longer_than_its_length(piece: str) -> None:
    """Patterns are linear: 4,096 characters of one repeated piece stay far from a worker's patience."""
    text = piece * (8192 // len(piece))
    understand("warm")
    began = time.perf_counter()

    understand(text)

    assert time.perf_counter() - began < 1.0
