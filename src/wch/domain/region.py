"""States and provinces of the countries whose addresses need one, by the codes that shops use."""

from collections.abc import Mapping

from wch.domain.country import folded

# Codes are those of ISO 3166-2 where these are letters; China, Japan and Malaysia have numbers there,
# for which WooCommerce's codes are taken, as for Mexico. After a slash: further names.
_STATES = {
    "AU": """ACT Australian Capital Territory|NSW New South Wales|NT Northern Territory|QLD Queensland
        |SA South Australia|TAS Tasmania|VIC Victoria|WA Western Australia""",
    "BR": """AC Acre|AL Alagoas|AP Amapá|AM Amazonas|BA Bahia|CE Ceará|DF Distrito Federal|ES Espírito Santo|GO Goiás
        |MA Maranhão|MT Mato Grosso|MS Mato Grosso do Sul|MG Minas Gerais|PA Pará|PB Paraíba|PR Paraná|PE Pernambuco
        |PI Piauí|RJ Rio de Janeiro|RN Rio Grande do Norte|RS Rio Grande do Sul|RO Rondônia|RR Roraima
        |SC Santa Catarina|SP São Paulo|SE Sergipe|TO Tocantins""",
    "CA": """AB Alberta|BC British Columbia/Colombie-Britannique|MB Manitoba
        |NB New Brunswick/Nouveau-Brunswick|NL Newfoundland and Labrador/Newfoundland|NS Nova Scotia/Nouvelle-Écosse
        |NT Northwest Territories|NU Nunavut|ON Ontario|PE Prince Edward Island|QC Quebec/Québec/PQ|SK Saskatchewan
        |YT Yukon""",
    "CN": """CN1 Yunnan/云南/云南省|CN2 Beijing/北京/北京市|CN3 Tianjin/天津/天津市|CN4 Hebei/河北/河北省
        |CN5 Shanxi/山西/山西省|CN6 Inner Mongolia/内蒙古|CN7 Liaoning/辽宁/辽宁省|CN8 Jilin/吉林/吉林省
        |CN9 Heilongjiang/黑龙江/黑龙江省|CN10 Shanghai/上海/上海市|CN11 Jiangsu/江苏/江苏省|CN12 Zhejiang/浙江/浙江省
        |CN13 Anhui/安徽/安徽省|CN14 Fujian/福建/福建省|CN15 Jiangxi/江西/江西省|CN16 Shandong/山东/山东省
        |CN17 Henan/河南/河南省|CN18 Hubei/湖北/湖北省|CN19 Hunan/湖南/湖南省|CN20 Guangdong/广东/广东省
        |CN21 Guangxi/广西|CN22 Hainan/海南/海南省|CN23 Chongqing/重庆/重庆市|CN24 Sichuan/四川/四川省
        |CN25 Guizhou/贵州/贵州省|CN26 Shaanxi/陕西/陕西省|CN27 Gansu/甘肃/甘肃省|CN28 Qinghai/青海/青海省
        |CN29 Ningxia/宁夏|CN30 Macao/Macau/澳门|CN31 Tibet/Xizang/西藏|CN32 Xinjiang/新疆""",
    "IN": """AP Andhra Pradesh|AR Arunachal Pradesh|AS Assam|BR Bihar|CT Chhattisgarh/CG|GA Goa|GJ Gujarat|HR Haryana
        |HP Himachal Pradesh|JK Jammu and Kashmir|JH Jharkhand|KA Karnataka|KL Kerala|LA Ladakh|MP Madhya Pradesh
        |MH Maharashtra|MN Manipur|ML Meghalaya|MZ Mizoram|NL Nagaland|OR Odisha/Orissa/OD|PB Punjab|RJ Rajasthan
        |SK Sikkim|TN Tamil Nadu|TS Telangana/TG|TR Tripura|UK Uttarakhand/UT|UP Uttar Pradesh|WB West Bengal
        |AN Andaman and Nicobar Islands|CH Chandigarh|DN Dadra and Nagar Haveli|DD Daman and Diu
        |DL Delhi/New Delhi/दिल्ली/नई दिल्ली|LD Lakshadweep/Lakshadeep|PY Puducherry/Pondicherry""",
    "JP": """JP01 Hokkaido/北海道|JP02 Aomori/青森県|JP03 Iwate/岩手県|JP04 Miyagi/宮城県|JP05 Akita/秋田県
        |JP06 Yamagata/山形県|JP07 Fukushima/福島県|JP08 Ibaraki/茨城県|JP09 Tochigi/栃木県|JP10 Gunma/群馬県
        |JP11 Saitama/埼玉県|JP12 Chiba/千葉県|JP13 Tokyo/東京都/東京|JP14 Kanagawa/神奈川県|JP15 Niigata/新潟県
        |JP16 Toyama/富山県|JP17 Ishikawa/石川県|JP18 Fukui/福井県|JP19 Yamanashi/山梨県|JP20 Nagano/長野県
        |JP21 Gifu/岐阜県|JP22 Shizuoka/静岡県|JP23 Aichi/愛知県|JP24 Mie/三重県|JP25 Shiga/滋賀県|JP26 Kyoto/京都府/京都
        |JP27 Osaka/大阪府/大阪|JP28 Hyogo/兵庫県|JP29 Nara/奈良県|JP30 Wakayama/和歌山県|JP31 Tottori/鳥取県
        |JP32 Shimane/島根県|JP33 Okayama/岡山県|JP34 Hiroshima/広島県|JP35 Yamaguchi/山口県|JP36 Tokushima/徳島県
        |JP37 Kagawa/香川県|JP38 Ehime/愛媛県|JP39 Kochi/高知県|JP40 Fukuoka/福岡県|JP41 Saga/佐賀県|JP42 Nagasaki/長崎県
        |JP43 Kumamoto/熊本県|JP44 Oita/大分県|JP45 Miyazaki/宮崎県|JP46 Kagoshima/鹿児島県|JP47 Okinawa/沖縄県""",
    "MX": """DF Ciudad de México/CDMX/Mexico City/Distrito Federal/D.F.|JA Jalisco/JAL|NL Nuevo León|AG Aguascalientes/AGS
        |BC Baja California|BS Baja California Sur/BCS|CM Campeche/CAMP|CS Chiapas/CHIS|CH Chihuahua/CHIH|CO Coahuila/COAH
        |CL Colima/COL|DG Durango/DGO|GT Guanajuato/GTO|GR Guerrero/GRO|HG Hidalgo/HGO
        |MX Estado de México/Edomex/State of Mexico|MI Michoacán/MICH|MO Morelos/MOR|NA Nayarit/NAY|OA Oaxaca/OAX
        |PU Puebla/PUE|QT Querétaro/QRO|QR Quintana Roo/QROO|SL San Luis Potosí/SLP|SI Sinaloa/SIN|SO Sonora/SON
        |TB Tabasco/TAB|TM Tamaulipas/TAMPS|TL Tlaxcala/TLAX|VE Veracruz/VER|YU Yucatán/YUC|ZA Zacatecas/ZAC""",
    "MY": """JHR Johor|KDH Kedah|KTN Kelantan|LBN Labuan|MLK Malacca/Melaka|NSN Negeri Sembilan|PHG Pahang
        |PNG Penang/Pulau Pinang|PRK Perak|PLS Perlis|SBH Sabah|SWK Sarawak|SGR Selangor|TRG Terengganu|PJY Putrajaya
        |KUL Kuala Lumpur/WP Kuala Lumpur""",
    "US": """AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware
        |DC District of Columbia/D.C.|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas
        |KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi
        |MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York
        |NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island
        |SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington
        |WV West Virginia|WI Wisconsin|WY Wyoming|PR Puerto Rico|GU Guam|VI US Virgin Islands|AS American Samoa
        |MP Northern Mariana Islands|AA Armed Forces Americas|AE Armed Forces Europe|AP Armed Forces Pacific""",
}


def _read() -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    names: dict[str, dict[str, str]] = {}
    codes: dict[str, dict[str, str]] = {}
    for country, rows in _STATES.items():
        names[country], codes[country] = {}, {}
        for row in rows.split("|"):
            code, words = row.strip().split(" ", 1)
            every = [word.strip() for word in words.split("/")]
            names[country][code] = every[0]
            for word in (*every, code):
                codes[country].setdefault(folded(word), code)
        # A code outranks another state's further name.
        codes[country].update({code.casefold(): code for code in names[country]})
    return names, codes


_NAMES, _CODES = _read()


def has_states(country: str) -> bool:
    """Whether an address there needs a state."""
    return country in _NAMES


def states(country: str) -> Mapping[str, str]:
    """Code and name of each state; nothing where addresses do without."""
    return _NAMES.get(country, {})


def state_of(country: str, text: str) -> str | None:
    """The code of the state that this text names by code or name; None if it names none."""
    return _CODES.get(country, {}).get(folded(text))
