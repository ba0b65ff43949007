"""Countries: their two letters, and their names in the five languages that customers write."""

import re
import unicodedata

# English | Spanish | Portuguese | Arabic | Hindi | further names and short forms, separated by commas
_NAMES = """
AE|United Arab Emirates|Emiratos Árabes Unidos|Emirados Árabes Unidos|الإمارات العربية المتحدة|संयुक्त अरब अमीरात|UAE,Emirates,EAU,الإمارات,यूएई
AO|Angola|Angola|Angola|أنغولا|अंगोला
AR|Argentina|Argentina|Argentina|الأرجنتين|अर्जेंटीना
AT|Austria|Austria|Áustria|النمسا|ऑस्ट्रिया|Österreich
AU|Australia|Australia|Austrália|أستراليا|ऑस्ट्रेलिया
BD|Bangladesh|Bangladés|Bangladesh|بنغلاديش|बांग्लादेश
BE|Belgium|Bélgica|Bélgica|بلجيكا|बेल्जियम|België,Belgique
BG|Bulgaria|Bulgaria|Bulgária|بلغاريا|बुल्गारिया
BH|Bahrain|Baréin|Bahrein|البحرين|बहरीन
BO|Bolivia|Bolivia|Bolívia|بوليفيا|बोलीविया
BR|Brazil|Brasil|Brasil|البرازيل|ब्राज़ील|ब्राजील
CA|Canada|Canadá|Canadá|كندا|कनाडा
CH|Switzerland|Suiza|Suíça|سويسرا|स्विट्ज़रलैंड|Schweiz,Suisse,Svizzera
CL|Chile|Chile|Chile|تشيلي|चिली
CN|China|China|China|الصين|चीन|PRC
CO|Colombia|Colombia|Colômbia|كولومبيا|कोलंबिया
CR|Costa Rica|Costa Rica|Costa Rica|كوستاريكا|कोस्टा रिका
CU|Cuba|Cuba|Cuba|كوبا|क्यूबा
CZ|Czechia|Chequia|Chéquia|التشيك|चेकिया|Czech Republic,República Checa,Česko
DE|Germany|Alemania|Alemanha|ألمانيا|जर्मनी|Deutschland
DK|Denmark|Dinamarca|Dinamarca|الدنمارك|डेनमार्क|Danmark
DO|Dominican Republic|República Dominicana|República Dominicana|جمهورية الدومينيكان|डोमिनिकन गणराज्य
DZ|Algeria|Argelia|Argélia|الجزائر|अल्जीरिया
EC|Ecuador|Ecuador|Equador|الإكوادور|इक्वाडोर
EG|Egypt|Egipto|Egito|مصر|मिस्र
ES|Spain|España|Espanha|إسبانيا|स्पेन
ET|Ethiopia|Etiopía|Etiópia|إثيوبيا|इथियोपिया
FI|Finland|Finlandia|Finlândia|فنلندا|फ़िनलैंड|Suomi
FR|France|Francia|França|فرنسا|फ़्रांस|फ्रांस
GB|United Kingdom|Reino Unido|Reino Unido|المملكة المتحدة|यूनाइटेड किंगडम|UK,U.K.,Great Britain,Britain,England,Scotland,Wales,Northern Ireland,Inglaterra,بريطانيا,ब्रिटेन,यूके
GH|Ghana|Ghana|Gana|غانا|घाना
GR|Greece|Grecia|Grécia|اليونان|यूनान|ग्रीस
GT|Guatemala|Guatemala|Guatemala|غواتيمالا|ग्वाटेमाला
HK|Hong Kong|Hong Kong|Hong Kong|هونغ كونغ|हांगकांग|Hong Kong SAR
HN|Honduras|Honduras|Honduras|هندوراس|होंडुरास
HU|Hungary|Hungría|Hungria|المجر|हंगरी
ID|Indonesia|Indonesia|Indonésia|إندونيسيا|इंडोनेशिया
IE|Ireland|Irlanda|Irlanda|أيرلندا|आयरलैंड|Éire
IL|Israel|Israel|Israel|إسرائيل|इज़राइल
IN|India|India|Índia|الهند|भारत|Bharat,इंडिया
IQ|Iraq|Irak|Iraque|العراق|इराक
IR|Iran|Irán|Irã|إيران|ईरान
IT|Italy|Italia|Itália|إيطاليا|इटली
JO|Jordan|Jordania|Jordânia|الأردن|जॉर्डन
JP|Japan|Japón|Japão|اليابان|जापान
KE|Kenya|Kenia|Quênia|كينيا|केन्या
KR|South Korea|Corea del Sur|Coreia do Sul|كوريا الجنوبية|दक्षिण कोरिया|Korea,Republic of Korea
KW|Kuwait|Kuwait|Kuwait|الكويت|कुवैत
LB|Lebanon|Líbano|Líbano|لبنان|लेबनान
LK|Sri Lanka|Sri Lanka|Sri Lanka|سريلانكا|श्रीलंका
LY|Libya|Libia|Líbia|ليبيا|लीबिया
MA|Morocco|Marruecos|Marrocos|المغرب|मोरक्को
MX|Mexico|México|México|المكسيك|मैक्सिको|Méjico,मेक्सिको
MY|Malaysia|Malasia|Malásia|ماليزيا|मलेशिया
MZ|Mozambique|Mozambique|Moçambique|موزمبيق|मोज़ाम्बिक
NG|Nigeria|Nigeria|Nigéria|نيجيريا|नाइजीरिया
NI|Nicaragua|Nicaragua|Nicarágua|نيكاراغوا|निकारागुआ
NL|Netherlands|Países Bajos|Países Baixos|هولندا|नीदरलैंड|Holland,Nederland,The Netherlands,Holanda
NO|Norway|Noruega|Noruega|النرويج|नॉर्वे|Norge
NP|Nepal|Nepal|Nepal|نيبال|नेपाल
NZ|New Zealand|Nueva Zelanda|Nova Zelândia|نيوزيلندا|न्यूज़ीलैंड
OM|Oman|Omán|Omã|عمان|ओमान
PA|Panama|Panamá|Panamá|بنما|पनामा
PE|Peru|Perú|Peru|بيرو|पेरू
PH|Philippines|Filipinas|Filipinas|الفلبين|फ़िलीपींस|The Philippines,Pilipinas
PK|Pakistan|Pakistán|Paquistão|باكستان|पाकिस्तान
PL|Poland|Polonia|Polônia|بولندا|पोलैंड|Polska
PR|Puerto Rico|Puerto Rico|Porto Rico|بورتوريكو|प्यूर्टो रिको
PT|Portugal|Portugal|Portugal|البرتغال|पुर्तगाल
PY|Paraguay|Paraguay|Paraguai|باراغواي|पराग्वे
QA|Qatar|Catar|Catar|قطر|क़तर|कतर
RO|Romania|Rumania|Romênia|رومانيا|रोमानिया|Rumanía
RU|Russia|Rusia|Rússia|روسيا|रूस|Russian Federation
SA|Saudi Arabia|Arabia Saudita|Arábia Saudita|المملكة العربية السعودية|सऊदी अरब|KSA,السعودية
SE|Sweden|Suecia|Suécia|السويد|स्वीडन|Sverige
SG|Singapore|Singapur|Singapura|سنغافورة|सिंगापुर
SN|Senegal|Senegal|Senegal|السنغال|सेनेगल
SV|El Salvador|El Salvador|El Salvador|السلفادور|अल साल्वाडोर
SY|Syria|Siria|Síria|سوريا|सीरिया
TH|Thailand|Tailandia|Tailândia|تايلاند|थाईलैंड
TN|Tunisia|Túnez|Tunísia|تونس|ट्यूनीशिया
TR|Turkey|Turquía|Turquia|تركيا|तुर्की|Türkiye,Turkiye
TW|Taiwan|Taiwán|Taiwan|تايوان|ताइवान
UA|Ukraine|Ucrania|Ucrânia|أوكرانيا|यूक्रेन
US|United States|Estados Unidos|Estados Unidos|الولايات المتحدة|संयुक्त राज्य अमेरिका|USA,U.S.A.,U.S.,United States of America,EE.UU.,EEUU,EUA,America,أمريكا,الولايات المتحدة الأمريكية,अमेरिका,यूएसए
UY|Uruguay|Uruguay|Uruguai|أوروغواي|उरुग्वे
VE|Venezuela|Venezuela|Venezuela|فنزويلا|वेनेज़ुएला
VN|Vietnam|Vietnam|Vietnã|فيتنام|वियतनाम|Viet Nam
YE|Yemen|Yemen|Iêmen|اليمن|यमन
ZA|South Africa|Sudáfrica|África do Sul|جنوب أفريقيا|दक्षिण अफ्रीका|RSA
"""

# Written as code points, since they look like Latin letters: alef with hamza or madda, alef maqsura, teh marbuta.
_ARABIC_FORMS = {0x623: 0x627, 0x625: 0x627, 0x622: 0x627, 0x649: 0x64A, 0x629: 0x647}
_LATIN_OR_ARABIC_MARK = re.compile(
    "[\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u200b-\u200f\u202a-\u202e\u2066-\u2069]"
)
_NOT_A_WORD = re.compile(r"[^\w\u0900-\u097f]+")


def folded(text: str) -> str:
    """The text as names are compared: no case, no accents, no Arabic vowel signs, no punctuation."""
    without_marks = _LATIN_OR_ARABIC_MARK.sub("", unicodedata.normalize("NFKD", text.casefold()))
    plain = unicodedata.normalize("NFKC", without_marks).translate(_ARABIC_FORMS)
    return " ".join(_NOT_A_WORD.sub(" ", plain.replace(".", "")).split())


def _read() -> tuple[dict[str, str], dict[str, str]]:
    english: dict[str, str] = {}
    codes: dict[str, str] = {}
    for row in _NAMES.strip().splitlines():
        code, *names = row.split("|")
        english[code] = names[0]
        codes[code.casefold()] = code
        for name in (*names[:5], *"".join(names[5:]).split(",")):
            if name:
                codes[folded(name)] = code
    return english, codes


_ENGLISH, _CODES = _read()

COUNTRIES = frozenset(_ENGLISH)
"""The countries whose names are known here; any two letters may stand in an address."""


def country_of(text: str) -> str | None:
    """The two letters of the country that this text names, and nothing but names; None if it names none."""
    return _CODES.get(folded(text))


def country_name(code: str) -> str:
    """Its English name, or the code itself when the name is not known here."""
    return _ENGLISH.get(code, code)
