"""Spanish words."""

from wch.application.words.intent import Intent
from wch.application.words.vocabulary import Vocabulary

SPANISH = Vocabulary(
    language="es",
    polite=("por_favor", "porfa", "porfavor", "gracias", "muchas_gracias", "xfa"),
    openings=("hola", "buenas", "buenos_días", "buenas_tardes", "buenas_noches", "buen_día"),
    numbers={
        "uno": 1,
        "una": 1,
        "un": 1,
        "dos": 2,
        "tres": 3,
        "cuatro": 4,
        "cinco": 5,
        "seis": 6,
        "siete": 7,
        "ocho": 8,
        "nueve": 9,
        "diez": 10,
    },
    fillers=("un", "una", "unos", "unas", "el", "la", "los", "las", "algún", "alguna", "mi", "mis", "de", "más"),
    generic=(
        "esto",
        "eso",
        "este",
        "esta",
        "ese",
        "esa",
        "estos",
        "estas",
        "artículo",
        "artículos",
        "producto",
        "productos",
        "unidad",
        "unidades",
        "de estos",
        "de esos",
        "este producto",
    ),
    collective=("todo", "todos", "carrito", "carro", "cesta", "todo el carrito", "todo del carrito", "pedido"),
    order_words=("pedido", "pedidos", "orden", "compra", "paquete", "envío"),
    after_opt_out=("alta",),
    answering_campaign=("salir",),
    phrases={
        Intent.CONSENT_STOP_ALL: (
            "stop_all|stopall|baja_total|parar_todo|baja_de_todo|darme_de_baja_de_todo|ningún_mensaje",
        ),
        Intent.CONSENT_STOP: (
            "stop|baja|darme_de_baja|dar_de_baja|quiero_darme_de_baja|desuscribir|desuscribirme|cancelar_suscripción",
            "no más|mas mensajes|ofertas|promociones|publicidad",
            "cancelar|anular [mi|la] suscripción",
            "parar|detener [las|los] mensajes|ofertas|promociones|publicidad",
        ),
        Intent.CONSENT_START: (
            "suscribirme|suscribir|suscríbeme|suscríbanme|quiero_suscribirme|darme_de_alta|quiero_recibir_ofertas",
        ),
        Intent.OPT_OUT_QUESTION: (
            "... no|ya_no|dejen_de|deja_de|dejar_de me|nos envíen|envíe|envíes|manden|mande|mandes|escriban|escribas [más] ...",
            "... dejen|deja|deje|paren de mandarme|enviarme|escribirme|molestar|molestarme ...",
            "... no quiero recibir [más] ...",
            "... no quiero más|mas ofertas|mensajes|promociones|publicidad ...",
            "... cómo me|puedo|hago [para] doy_de_baja|darme_de_baja|dejar_de_recibir|parar ...",
        ),
        Intent.HUMAN: (
            "agente|asesor|asesora|humano|persona|operador|operadora|soporte|vendedor|atención_al_cliente",
            "un|una agente|asesor|humano|persona|operador",
            (
                "... hablar|hablo|chatear|comunicarme|contactar|comunicar con [un|una|algún|alguna|el|la] "
                "persona|agente|asesor|asesora|humano|alguien|operador|operadora|vendedor|encargado|representante|persona_real ..."
            ),
            "... persona real|humana ...",
            "... atención|servicio al|de cliente|clientes ...",
            "... reembolso|devolución|devolver_el_dinero|devolución_del_dinero ...",
        ),
        Intent.CANCEL: ("cancelar|salir|cancela|cancelo|olvídalo|déjalo|no_importa|nada",),
        Intent.BACK: ("atrás|volver|regresar|anterior|volver_atrás|ir_atrás|paso_anterior",),
        Intent.MENU: (
            "[el|ver|mostrar|abrir] [el] menú|menú_principal",
            "inicio|principal|empezar_de_nuevo|bot|opciones",
        ),
        Intent.HELP: (
            "ayuda|ayúdame|ayúdeme|necesito_ayuda|quiero_ayuda|info|información",
            "qué puedes|puede|pueden|puedo hacer [aquí]",
            "cómo funciona [esto]",
            "cómo compro|pido|puedo_comprar|se_compra",
        ),
        Intent.CANCEL_ORDER: (
            "... cancelar|cancela|cancele|cancelen|anular|anula mi|el|la|un|este|ese|mis [último|última] pedido|pedidos|orden|compra ...",
            "... cancelar|anular pedido|orden|compra ...",
        ),
        Intent.ORDER_STATUS: (
            "pedido|pedidos|mi_pedido|mis_pedidos|mis_compras|mis_órdenes|rastrear|rastreo|seguimiento",
            "... dónde|donde está|esta|están|viene|va|anda mi|el|mis pedido|pedidos|paquete|compra|orden|envío ...",
            "... rastrear|seguir|rastreo|seguimiento|rastreo_de|seguimiento_de|seguimiento_del [mi|el|de_mi|del] pedido|paquete|orden|envío|compra ...",
            "... estado|estatus|situación de|del|de_mi|de_la [mi|el|la] pedido|orden|compra|envío|paquete ...",
            "... estado|estatus mi|pedido|del_pedido ...",
            "... cuándo llega|llegará|sale|llegan mi|el|mis pedido|paquete|envío|orden|compra|pedidos ...",
            "... ha|han|ya_ha|ya enviado|salido|enviaron|salió|llegó mi|el pedido|paquete ...",
            "... ayuda|problema|duda|pregunta con|sobre|de mi|el|un pedido|compra|orden ...",
            "ver|mostrar|consultar [mis|mi|los] pedidos|pedido|compras|órdenes",
            "[mi] pedido|orden [número|no|nro] {order}",
        ),
        Intent.REMOVE_COUPON: (
            "... quitar|quita|eliminar|elimina|borrar|borra|sacar|retirar [el|mi|este|un] cupón|descuento|código|vale ...",
        ),
        Intent.COUPON: (
            "cupón|cupones|código_de_descuento|código_promocional|cupón_de_descuento|vale",
            "tengo [un|el] cupón|código|vale|código_de_descuento|descuento|cupón_de_descuento",
            "aplicar|usar|canjear|agregar|añadir [un|el|mi] cupón|código|descuento|vale|código_de_descuento",
            "[aplicar|usar|canjear|aplica|usa|agregar|añadir|tengo] [un|el|mi] cupón|código|vale|cupón_de_descuento|código_de_descuento [es] {code}",
        ),
        Intent.REMOVE_ITEM: (
            "quitar|quita|eliminar|elimina|borrar|borra|sacar|saca [el|la] artículo|producto|línea|número|item|ítem @",
            "quitar|quita|eliminar|elimina|borrar|borra|sacar|saca [el|la] artículo|producto|línea|número|item|ítem @ del|de [mi|el] [carrito]",
            "quitar|quita|eliminar|elimina|borrar|borra|sacar|saca @",
            "quitar|quita|eliminar|elimina|borrar|borra|sacar|saca {words} del|de_mi carrito|carro|cesta",
            "quitar|quita|eliminar|elimina|borrar|borra|sacar|saca {words}",
        ),
        Intent.SET_QUANTITY: (
            "cambiar|cambia|cambie|poner|pon|modificar [el|la|a|en] artículo|producto|línea|item|ítem @ a|por #",
            "cambiar|cambia|cambie|poner|pon|modificar [la] cantidad [a|de] #",
            "cambiar|cambia|cambie|cámbialo|pon|ponlo|que_sean|mejor [a] #",
            "# en_vez_de|en_lugar_de #",
            "cantidad #",
            "cambiar|cambia [la] [cantidad] [de] {words} a #",
        ),
        Intent.CLEAR_CART: (
            "... vaciar|vacía|vacíe|limpiar|limpia|borrar|borra|eliminar|elimina [todo] [el|mi|del|de_mi] carrito|carro|cesta ...",
            "quitar|borrar|eliminar|quita|borra|elimina todo|todos",
        ),
        Intent.ADD_TO_CART: (
            "añadir|agregar|añade|agrega|añádelo|agrégalo|poner|pon|meter|mete [esto|lo|este|este_producto] al|en|a [el|mi] [carrito|carro|cesta]",
            "añadir|agregar|añade|agrega [esto|este|este_producto]",
            "me_lo_llevo|lo_quiero|me_la_llevo|la_quiero|lo_compro|quiero_este|quiero_esta|quiero_esto|lo_tomo|añádelo|agrégalo",
            "añadir|agregar|añade|agrega|poner|pon|meter|mete # al|en|a [el|mi] [carrito|carro|cesta]",
            "añadir|agregar|añade|agrega|poner|pon|meter|mete [#] {words} al|en_el|en_mi|a_mi carrito|carro|cesta",
            "añadir|agregar|añade|agrega|quiero|dame|deme|ponme|me_llevo # [más]",
            "añadir|agregar|añade|agrega|ponme|me_llevo # {words}",
            "añadir|agregar|añade|agrega {words}",
        ),
        Intent.VIEW_CART: (
            "carrito|mi_carrito|el_carrito|carro|mi_carro|cesta|mi_cesta|carrito_de_compras|ver_carrito",
            "... ver|muestra|muéstrame|mostrar|mostrarme|abrir|revisar|enséñame|ir_a|ir_al [el|mi|al] carrito|carro|cesta ...",
            "... qué hay|tengo en [el|mi] carrito|carro|cesta ...",
        ),
        Intent.PAYMENT_CHECK: (
            "pagado|pagué|pago_hecho|pago_realizado",
            "... ya|yo|lo|ya_lo|ya_he|he|acabo_de pagué|pague|pagado|pagar ...",
            "... pago hecho|realizado|completado|enviado|listo ...",
            "... hice|realicé|envié el pago ...",
            "... enlace|link de|para [el] pago|pagar ...",
            "... recibieron|recibió|llegó [mi|el] pago ...",
        ),
        Intent.CHECKOUT: (
            "pagar|comprar|comprar_ahora|pagar_ahora|finalizar_compra|finalizar|terminar_compra|tramitar_pedido|checkout",
            "... finalizar|completar|terminar|realizar|hacer|confirmar|tramitar [la|mi|el|un] compra|pedido|orden ...",
            "quiero|quisiera|deseo|me_gustaría pagar|comprar|pedir|ordenar|hacer_un_pedido [ya|ahora]",
            "ir|proceder|pasar al|a pago|pagar|caja",
        ),
        Intent.BROWSE: (
            "catálogo|productos|categorías|tienda|colección|colecciones|explorar|artículos",
            (
                "... ver|muestra|muéstrame|mostrar|mostrarme|enséñame|quiero_ver|explorar [los|el|sus|tus|todos|las|la] [los|sus|tus] "
                "productos|catálogo|categorías|colección|colecciones|tienda|artículos"
            ),
            "qué venden|vendes|tienen|tienes|ofrecen|hay",
            "qué productos|artículos|cosas tienen|venden|hay|ofrecen|tienes|vendes",
        ),
        Intent.SEARCH: (
            "buscar|busco|busca|búsqueda|buscar_productos|buscar_producto",
            "busco|buscar|busca|búscame|buscando|estoy_buscando|ando_buscando|encontrar {words}",
            "tienen|tienes|tiene|venden|vendes|vende|hay|tendrán|habrá {words}",
            "quiero|quisiera|necesito|deseo|me_gustaría [comprar|ver|pedir|encontrar] {words}",
            "muéstrame|muestra|mostrar|enséñame|ver|dame {words}",
            "cuánto cuesta|cuestan|vale|valen|es|sale {words}",
            "[a] qué precio tiene|tienen|de|del|de_la|es {words}",
            "[el] precio de|del|de_la {words}",
            "comprar|pedir {words}",
        ),
        Intent.GREETING: (
            (
                "hola|buenas|buenos_días|buen_día|buenas_tardes|buenas_noches|qué_tal|holi|ola_buenas|saludos"
                " [a_todos|amigos|amigo|buenas|buenos_días|buenas_tardes|buenas_noches|qué_tal]"
            ),
            "empezar|comenzar",
        ),
        Intent.THANKS: ("gracias|muchas_gracias|mil_gracias|muchísimas_gracias|te_lo_agradezco|muy_amable [por_todo]",),
        Intent.BYE: ("adiós|chao|chau|hasta_luego|hasta_pronto|nos_vemos|hasta_mañana|bye",),
        Intent.YES: (
            "sí|si|claro|vale_sí|de_acuerdo|ok|okay|correcto|perfecto|por_supuesto|dale|sí_por_favor|está_bien|exacto",
        ),
        Intent.NO: ("no|no_gracias|nop|para_nada|ahora_no|todavía_no",),
    },
    languages={
        "en": ("[en] inglés",),
        "es": ("[en] español|castellano",),
        "pt_BR": ("[en] portugués",),
        "ar": ("[en] árabe",),
        "hi": ("[en] hindi",),
    },
    choose=("[cambiar|elegir|otro] [de|el] idioma|idiomas|lengua",),
)
